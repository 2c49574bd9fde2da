// One image under every ε of a range. One message from the server brings all of it, so moving the
// slider sends nothing to the server. Only the place where the slider comes to rest is sent.

const REST = 300; // milliseconds without movement, so that a held arrow key counts as one move

const explorers = new WeakMap();
const newest = new WeakMap(); // what each was given last

async function showExplorer(component) {
  const { parentElement, setTriggerValue } = component;
  newest.set(parentElement, component);
  const data = await unpack(component.data);
  if (newest.get(parentElement) !== component) return; // more has come meanwhile
  let explorer = explorers.get(parentElement);
  if (!explorer) {
    explorer = new Explorer(parentElement);
    explorers.set(parentElement, explorer);
  }
  explorer.tell = setTriggerValue;
  if (explorer.placed !== data.placed) explorer.place(data);
  explorer.show(data);
}

class Explorer {
  constructor(root) {
    root.innerHTML = `<style>${CSS}</style>${HTML}`;
    const find = (selector) => root.querySelector(selector);
    this.section = find(".explorer");
    this.announcement = find(".announcement");
    this.slider = find("input");
    this.output = find("output");
    this.attack = find(".attack");
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
    this.labels = Array.from({ length: 10 }, (_, digit) => this.addLabel(find(".meant"), digit));
    this.choices = new Choices(root, this);
    this.note = find(".note");
    this.noise = find(".of-noise");
    this.ofProof = find(".of-proof");
    this.slider.addEventListener("input", () => this.moved());
    this.slider.addEventListener("change", () => this.waitForRest());
    this.asker = new ProofAsker(this);
  }

  // A radio button for a digit that the image may be meant to be.
  addLabel(place, digit) {
    const label = document.createElement("label");
    const choice = document.createElement("input");
    choice.type = "radio";
    choice.name = "meant";
    choice.addEventListener("change", () => this.tell("label", digit));
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
      this.views.push(new NetworkView(this.template, this.places, (key) => this.asker.ask(key)));
    }
    this.files.replaceChildren();
    for (const view of this.views) {
      for (const picture of view.pictures.all) this.addFiles(view, picture);
    }
  }

  addFiles(view, picture) {
    const group = add(this.files, "");
    const name = document.createElement("span");
    const whose = this.views.length > 1 ? ` (${view === this.views[0] ? "first" : "second"})` : "";
    name.textContent = picture.name + whose;
    group.append(name);
    for (const side of FILES) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${side} px`;
      button.setAttribute("aria-label", `Download the ${name.textContent} picture as PNG, ${side} px`);
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
    if (this.data && this.data.state === data.state) return;
    // The slider keeps its place, which now stands for another budget: tell the server.
    if (this.data && this.data.axis.name !== data.axis.name) this.waitForRest();
    this.data = data;
    this.name.textContent = data.axis.name;
    this.attack.textContent = `${data.title} on ${data.paths.map(({ name }) => name).join(" and ")}`;
    const last = data.epsilons.length - 1;
    this.slider.max = last;
    if (this.start !== null) {
      this.slider.value = Math.round((this.start / data.epsilons[last]) * last);
      this.start = null;
    }
    this.setViews(data.paths.length);
    this.section.classList.toggle("two", data.paths.length > 1);
    this.views.forEach((view, place) => view.show(data.paths[place], data));
    this.noise.hidden = data.attack !== "noise";
    this.ofProof.hidden = !data.paths.some(({ proof }) => proof);
    this.note.hidden = !data.note;
    this.note.textContent = data.note;
    this.labels[data.label].checked = true;
    this.choices.show(data);
    if (!data.choices?.hidden) this.revealed = null; // the server knows of it
    this.setHidden(Boolean(data.choices?.hidden) && this.revealed !== data.id);
    attachBigScreen(this.section);
    this.drawn = null;
    this.draw();
    if (data.play && !this.hidden) play(this, data);
  }

  // Hide or show what tells where the prediction flips, and to what.
  setHidden(hidden) {
    this.hidden = hidden;
    this.choices.guess.hidden = !hidden;
    for (const view of this.views) view.reveal(!hidden, this.data);
    this.asker.show();
  }

  // Show the flip that one was to predict. The server hears of it when the slider rests.
  reveal() {
    this.revealed = this.data.id;
    this.owesReveal = true;
    this.setHidden(false);
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
    this.rest = setTimeout(() => this.tellRest(), REST);
  }

  tellRest() {
    clearTimeout(this.rest);
    this.draw(); // the slider may have moved since the last frame
    const epsilon = this.data.epsilons[this.slider.valueAsNumber];
    if (this.owesReveal) this.tell("shown", { epsilon, id: this.data.id });
    else this.tell("epsilon", epsilon);
    this.owesReveal = false;
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
    const seen = this.views.map((view) => view.draw(index, at)).join("; ");
    tellFollowers({ id: data.id, index, epsilon });
    this.output.textContent = budget;
    this.norms.textContent = sizes(data.paths, index);
    this.slider.setAttribute("aria-valuetext", `${budget}. ${seen}`);
    // A screen reader announces a change of a prediction, not every step of the slider. How sure
    // it is changes with every step, so it is said of the slider alone.
    const news = [data.id, ...data.paths.map(({ predictions }) => predictions[index])].join();
    if (this.announced !== news) {
      this.announced = news;
      this.announcement.textContent = this.views.map(({ seen }) => seen).join("; ");
    }
    if (this.hidden && data.paths.every((path) => index >= flipPlace(path))) this.reveal();
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
  fileName({ path }) {
    const { label, attack, axis, epsilons } = this.data;
    const budget = budgetText(epsilons[this.slider.valueAsNumber], axis).replace(axis.unit, "");
    const whose = this.views.length > 1 ? `${path.name}-` : "";
    return `${whose}${label}-${attack}-${axis.unit ? "way" : "epsilon"}-${budget}`;
  }
}

// Other components on the page can follow the slider without the server. One that is mounted later
// finds the slider's last place at `window.smallChangeEpsilon`.
function tellFollowers(place) {
  window.smallChangeEpsilon = place;
  window.dispatchEvent(new CustomEvent("small-change-epsilon", { detail: place }));
}

// How large the perturbations are. The images are on 256 grey levels, so a pixel's change is a whole
// number of them.
function sizes(paths, index) {
  const levels = paths.map(({ linf_norm }) => Math.round(255 * linf_norm[index]));
  const changes = levels.map((most) => (most ? `up to ${most} of 255 grey levels a pixel` : "no change"));
  const norms = paths.map(({ l2_norm }) => `L2 norm ${l2_norm[index].toFixed(2)}`);
  if (paths.length < 2) return `${changes[0]}, ${norms[0]}`;
  const named = (words) => words.map((each, place) => `${each} (${paths[place].name})`).join(", ");
  return `${levels[0] === levels[1] ? changes[0] : named(changes)}, ${named(norms)}`;
}
