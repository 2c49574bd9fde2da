// One image under every ε of a range. One message from the server brings all of it, so moving the
// slider sends nothing to the server. Only the place where the slider comes to rest is sent.

const REST = 300; // milliseconds without movement, so that a held arrow key counts as one move

const explorers = new WeakMap();

export default function (component) {
  const { parentElement, setTriggerValue } = component;
  const data = unpack(component.data);
  let explorer = explorers.get(parentElement);
  if (!explorer) {
    explorer = new Explorer(parentElement);
    explorers.set(parentElement, explorer);
  }
  explorer.tell = (epsilon) => setTriggerValue("epsilon", epsilon);
  explorer.correct = (digit) => setTriggerValue("label", digit);
  if (explorer.placed !== data.placed) explorer.place(data);
  explorer.show(data);
}

class Explorer {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.section = find(".explorer");
    this.announcement = find(".announcement");
    this.slider = find("input");
    this.output = find("output");
    this.name = find(".dial label");
    this.norms = find(".norms");
    this.template = find("template");
    this.places = [".verdicts", ".lanes", ".sentences", ".panels"].map(find);
    this.views = [];
    this.files = find(".files");
    const opener = find(".save");
    opener.addEventListener("click", () => {
      this.files.hidden = !this.files.hidden;
      opener.setAttribute("aria-expanded", String(!this.files.hidden));
    });
    this.forgetCopy = copyLink(find(".copy-link"), () => this.address());
    this.choices = Array.from({ length: 10 }, (_, digit) => this.addChoice(find(".meant"), digit));
    this.slider.addEventListener("input", () => this.moved());
    this.slider.addEventListener("change", () => this.waitForRest());
  }

  // A radio button for a digit that the image may be meant to be.
  addChoice(place, digit) {
    const label = document.createElement("label");
    const choice = document.createElement("input");
    choice.type = "radio";
    choice.name = "meant";
    choice.addEventListener("change", () => this.correct(digit));
    const name = document.createElement("span");
    name.textContent = digit;
    label.append(choice, name);
    place.append(label);
    return choice;
  }

  // Have one view for each network, and two buttons for each picture.
  setViews(count) {
    if (this.views.length === count) return;
    while (this.views.length > count) this.views.pop().remove();
    while (this.views.length < count) {
      this.views.push(new NetworkView(this.template, this.places));
    }
    this.files.replaceChildren();
    for (const view of this.views) {
      for (const picture of view.pictures.all) this.addFiles(view, picture);
    }
  }

  addFiles(view, picture) {
    const group = add(this.files, "");
    const name = document.createElement("span");
    name.textContent = picture.name;
    group.append(name);
    for (const side of FILES) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${side} px`;
      button.setAttribute("aria-label", `Download the ${picture.name} picture as PNG, ${side} px`);
      button.addEventListener("click", () => {
        this.draw(); // the slider may have moved since the last frame
        save(picture, side, this.fileName(view));
      });
      group.append(button);
    }
  }

  // Have the slider shown at the server's place, whatever its own.
  place({ placed, start }) {
    clearTimeout(this.rest);
    this.placed = placed;
    this.start = start;
    this.data = null;
  }

  show(data) {
    if (this.data && this.data.id === data.id) return;
    // The slider keeps its place, which now stands for another budget: tell the server.
    if (this.data && this.data.axis.name !== data.axis.name) this.waitForRest();
    this.data = data;
    this.name.textContent = data.axis.name;
    const last = data.epsilons.length - 1;
    this.slider.max = last;
    if (this.start !== null) {
      this.slider.value = Math.round((this.start / data.epsilons[last]) * last);
      this.start = null;
    }
    this.setViews(data.paths.length);
    this.views.forEach((view, place) => view.show(data.paths[place], data));
    this.choices[data.label].checked = true;
    this.drawn = null;
    this.draw();
  }

  moved() {
    clearTimeout(this.rest);
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  waitForRest() {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.tell(this.data.epsilons[this.slider.valueAsNumber]), REST);
  }

  draw() {
    const { data } = this;
    const index = this.slider.valueAsNumber;
    if (index === this.drawn) return;
    this.drawn = index;
    this.forgetCopy();
    const epsilon = data.epsilons[index];
    const budget = budgetText(epsilon, data.axis);
    const at = `${data.axis.name} = ${budget}`;
    const [seen] = this.views.map((view) => view.draw(index, at));
    tellFollowers({ id: data.id, index, epsilon });
    this.output.textContent = budget;
    this.norms.textContent = inGreyLevels(data.paths[0], index);
    this.slider.setAttribute("aria-valuetext", `${budget}. ${seen}`);
    // A screen reader announces a change of the prediction, not every step of the slider.
    const news = `${data.id} ${data.paths[0].predictions[index]}`;
    if (this.announced !== news) {
      this.announced = news;
      this.announcement.textContent = `${seen} at ${at}`;
    }
  }

  // The page's address with the slider's present place, which the server may not know yet.
  address() {
    const { parameter, epsilons } = this.data;
    const epsilon = epsilons[this.slider.valueAsNumber].toFixed(3);
    const known = new RegExp(`([?&]${parameter}=)[^&#]*`);
    if (known.test(location.href)) return location.href.replace(known, `$1${epsilon}`);
    const address = new URL(location.href);
    address.searchParams.set(parameter, epsilon);
    return address.href;
  }

  // The beginning of the names of pictures to download.
  fileName() {
    const { label, attack, axis, epsilons } = this.data;
    const budget = budgetText(epsilons[this.slider.valueAsNumber], axis).replace("%", "");
    return `${label}-${attack}-${axis.unit === "%" ? "way" : "epsilon"}-${budget}`;
  }
}

// Other components on the page can follow the slider without the server. One that is mounted later
// finds the slider's last place at `window.smallChangeEpsilon`.
function tellFollowers(place) {
  window.smallChangeEpsilon = place;
  window.dispatchEvent(new CustomEvent("small-change-epsilon", { detail: place }));
}

// How large the perturbation is. The images are on 256 grey levels, so the change is a whole number.
function inGreyLevels({ l2_norm, linf_norm }, index) {
  const levels = Math.round(255 * linf_norm[index]);
  const norm = `L2 norm ${l2_norm[index].toFixed(2)}`;
  return levels ? `up to ${levels} of 255 grey levels a pixel, ${norm}` : `no change, ${norm}`;
}
