// One image under every ε of a range. One message from the server brings all of it, so moving the
// slider sends nothing to the server. Only the place where the slider comes to rest is sent.

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const FILES = [SIDE, 20 * SIDE]; // the sides of the pictures to download
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

// Four bytes with the length of a JSON text, the text, a row of doubles for each budget (ε, L2 norm,
// L∞ norm, ten probabilities), and the frames.
function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const table = 4 + length;
  const frames = table + about.budgets * 13 * 8;
  const numbers = [...new Float64Array(bytes.slice(table, frames).buffer)];
  const rows = Array.from({ length: about.budgets }, (_, row) => numbers.slice(13 * row, 13 * row + 13));
  return {
    ...about,
    epsilons: rows.map(([epsilon]) => epsilon),
    l2_norm: rows.map(([, norm]) => norm),
    linf_norm: rows.map(([, , norm]) => norm),
    probabilities: rows.map((row) => row.slice(3)),
    frames: bytes.subarray(frames),
  };
}

class Explorer {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.section = find(".explorer");
    this.before = find(".before");
    this.now = find(".now");
    this.certainty = find(".certainty");
    this.announcement = find(".announcement");
    this.slider = find("input");
    this.output = find("output");
    this.name = find(".dial label");
    this.mark = find(".mark");
    this.markText = find(".mark span");
    this.perturbationCaption = find(".perturbation + figcaption");
    this.bars = find(".bars");
    this.sentence = find(".sentence");
    this.norms = find(".norms");
    this.pictures = ["clean", "perturbation", "adversarial"].map((name) => {
      const context = find(`canvas.${name}`).getContext("2d");
      return { name, context, canvas: context.canvas, image: context.createImageData(SIDE, SIDE) };
    });
    this.addFiles(find(".save"), find(".files"));
    this.forgetCopy = copyLink(find(".copy-link"), () => this.address());
    this.columns = Array.from({ length: 10 }, (_, digit) => this.addColumn(digit));
    this.choices = Array.from({ length: 10 }, (_, digit) => this.addChoice(find(".meant"), digit));
    this.slider.addEventListener("input", () => this.moved());
    this.slider.addEventListener("change", () => this.waitForRest());
  }

  addColumn(digit) {
    const make = (parent, className) => {
      const element = document.createElement("div");
      element.className = className;
      parent.append(element);
      return element;
    };
    const column = make(this.bars, "column");
    const percent = make(column, "percent");
    const well = make(column, "well");
    const fill = make(well, "fill");
    const was = make(well, "was");
    make(column, "name").textContent = digit;
    return { column, percent, fill, was };
  }

  // Two buttons for each picture, which one button shows and hides.
  addFiles(opener, place) {
    opener.addEventListener("click", () => {
      place.hidden = !place.hidden;
      opener.setAttribute("aria-expanded", String(!place.hidden));
    });
    for (const picture of this.pictures) {
      const group = document.createElement("div");
      const name = document.createElement("span");
      name.textContent = picture.name;
      group.append(name);
      for (const side of FILES) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = `${side} px`;
        button.setAttribute("aria-label", `Download the ${picture.name} picture as PNG, ${side} px`);
        button.addEventListener("click", () => this.save(picture, side));
        group.append(button);
      }
      place.append(group);
    }
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
    const { flip } = data;
    this.mark.hidden = flip === null;
    this.slider.style.setProperty("--stretches", this.stretches(data));
    if (flip !== null) {
      const share = flip.epsilon / data.epsilons[last];
      this.mark.style.setProperty("--flip", place(share));
      this.mark.className = share < 0.15 ? "mark first" : share > 0.85 ? "mark last" : "mark";
      this.markText.textContent = `flips to ${flip.after}`;
    }
    this.columns.forEach(({ was, column }, digit) => {
      was.style.bottom = `calc(${data.probabilities[0][digit] * 100}% - 2px)`;
      column.classList.toggle("label", digit === data.label);
    });
    this.choices[data.label].checked = true;
    this.sentence.textContent = data.sentence;
    this.drawn = null;
    this.draw();
  }

  // The track's colours: where the network is right, and where it is fooled.
  stretches({ probabilities, epsilons, flip, label }) {
    const last = epsilons.length - 1;
    const stops = [];
    let colour;
    probabilities.forEach((shares, index) => {
      const now = largest(shares) === label ? "var(--clean)" : "var(--fooled)";
      if (now === colour) return;
      const exact = flip !== null && index > 0 && flip.epsilon <= epsilons[index] &&
        flip.epsilon > epsilons[index - 1];
      const at = index === 0 ? "0%" : place(exact ? flip.epsilon / epsilons[last] : index / last);
      if (colour) stops.push(`${colour} ${at}`);
      stops.push(`${now} ${at}`);
      colour = now;
    });
    return [...stops, `${colour} 100%`].join(", ");
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
    tellFollowers({ id: data.id, index, epsilon });
    const probabilities = data.probabilities[index];
    const predicted = largest(probabilities);
    const clean = largest(data.probabilities[0]);

    const budget = this.budget(epsilon);
    const at = `${data.axis.name} = ${budget}`;

    this.drawPictures(index, at);
    this.columns.forEach(({ column, percent, fill }, digit) => {
      const share = probabilities[digit];
      fill.style.transform = `scaleY(${share})`;
      percent.textContent = share < 0.005 ? "" : `${Math.round(share * 100)}%`;
      column.classList.toggle("predicted", digit === predicted);
    });

    this.section.classList.toggle("flipped", predicted !== clean);
    this.before.classList.toggle("wrong", clean !== data.label);
    this.now.classList.toggle("wrong", predicted !== data.label);
    this.before.textContent = clean;
    this.now.textContent = predicted;
    const sure = `${Math.round(probabilities[predicted] * 100)}% sure`;
    this.certainty.textContent = sure;
    this.output.textContent = budget;
    this.norms.textContent =
      `L2 norm of the perturbation: ${data.l2_norm[index].toFixed(2)}; ` +
      `largest change of a pixel: ${data.linf_norm[index].toFixed(3)}`;
    const seen = `The network sees ${predicted}, ${sure}`;
    this.slider.setAttribute("aria-valuetext", `${budget}. ${seen}`);
    this.bars.setAttribute("aria-label", `Probabilities at ${at}: ` +
      probabilities.map((share, digit) => `${digit}: ${Math.round(share * 100)}%`).join(", "));
    // A screen reader announces a change of the prediction, not every step of the slider.
    if (this.announced !== `${data.id} ${predicted}`) {
      this.announced = `${data.id} ${predicted}`;
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

  // Download a picture as it is shown at the slider's present place. The server has no part in it.
  save({ name, image }, side) {
    this.draw(); // the slider may have moved since the last frame
    const { label, attack, axis, epsilons } = this.data;
    const budget = this.budget(epsilons[this.slider.valueAsNumber]).replace("%", "");
    const scale = axis.unit === "%" ? "way" : "epsilon";
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    // Opaque, and in the memory of the processor: each pixel is written as the byte that it is.
    const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    context.putImageData(enlarged(image, side), 0, 0);
    const link = document.createElement("a");
    link.download = `${label}-${attack}-${scale}-${budget}-${name}-${side}px.png`;
    canvas.toBlob((file) => {
      link.href = URL.createObjectURL(file);
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    });
  }

  // The budget as text, with the decimals and the unit of its axis.
  budget(epsilon) {
    const { factor, digits, unit } = this.data.axis;
    return (epsilon * factor).toFixed(digits) + unit;
  }

  drawPictures(index, at) {
    const [clean, perturbation, adversarial] = this.pictures.map(({ image }) => image.data);
    const { frames } = this.data;
    const offset = index * PIXELS;
    const largest = this.data.linf_norm[index];
    const gain = largest > 0 ? 1 / (255 * largest) : 0;
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const at = 4 * pixel;
      const x = frames[pixel];
      const perturbed = frames[offset + pixel];
      clean[at] = clean[at + 1] = clean[at + 2] = x;
      adversarial[at] = adversarial[at + 1] = adversarial[at + 2] = perturbed;
      // Orange where the pixel got lighter, blue where darker, dark grey where it stayed.
      const change = Math.max(-1, Math.min(1, (perturbed - x) * gain));
      const [red, green, blue] = change > 0 ? [255, 150, 30] : [60, 150, 255];
      const size = Math.abs(change);
      perturbation[at] = 34 + (red - 34) * size;
      perturbation[at + 1] = 34 + (green - 34) * size;
      perturbation[at + 2] = 34 + (blue - 34) * size;
      clean[at + 3] = perturbation[at + 3] = adversarial[at + 3] = 255;
    }
    for (const { context, image } of this.pictures) context.putImageData(image, 0, 0);
    const [, changed, attacked] = this.pictures.map(({ canvas }) => canvas);
    changed.setAttribute("aria-label", "The perturbation: orange where lighter, blue where darker");
    attacked.setAttribute("aria-label", `The adversarial image at ${at}`);
    this.perturbationCaption.textContent =
      largest > 0 ? `perturbation × ${(1 / largest).toFixed(1)}` : "perturbation";
  }
}

// Other components on the page can follow the slider without the server. One that is mounted later
// finds the slider's last place at `window.smallChangeEpsilon`.
function tellFollowers(place) {
  window.smallChangeEpsilon = place;
  window.dispatchEvent(new CustomEvent("small-change-epsilon", { detail: place }));
}

// A picture of another side, each pixel the nearest one of the image.
function enlarged(image, side) {
  const picture = new ImageData(side, side);
  const [from, to] = [image, picture].map(({ data }) => new Uint32Array(data.buffer));
  const nearest = Array.from({ length: side }, (_, at) => Math.floor((at * SIDE) / side));
  to.forEach((_, at) => {
    to[at] = from[nearest[Math.floor(at / side)] * SIDE + nearest[at % side]];
  });
  return picture;
}

// The place of a share of the range on the track, whose ends the handle's middle never reaches.
function place(share) {
  return `calc(var(--thumb) / 2 + (100% - var(--thumb)) * ${share})`;
}

function largest(values) {
  return values.indexOf(Math.max(...values));
}
