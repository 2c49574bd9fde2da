// An attack's steps on one image. One message from the server brings all of them, so playing them
// sends nothing to the server.

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const PLAY = 300; // milliseconds from one step to the next; a long walk goes faster
const LONGEST = 6000; // milliseconds that a whole walk takes at most

const players = new WeakMap();

export default function (component) {
  const { parentElement } = component;
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(parentElement);
    players.set(parentElement, player);
  }
  player.show(unpack(component.data));
  window.addEventListener("small-change-epsilon", player.followed);
  return () => {
    player.pause();
    window.removeEventListener("small-change-epsilon", player.followed);
  };
}

// Four bytes with the length of a JSON text, the text, and three pictures for each step: the image's
// grey levels, what the step adds, and what is taken back, both from -127 to 127.
function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const size = about.loss.length * PIXELS;
  const part = (place) => bytes.slice(4 + length + place * size, 4 + length + (place + 1) * size);
  return { ...about, images: part(0), moves: new Int8Array(part(1).buffer), taken: new Int8Array(part(2).buffer) };
}

class Player {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.section = find(".player");
    this.digit = find(".digit");
    this.sure = find(".sure");
    this.announcement = find(".announcement");
    this.numbers = find(".numbers");
    this.output = find("output");
    this.slider = find("input");
    [this.back, this.play, this.step] = ["back", "play", "step"].map((name) => find(`.controls .${name}`));
    this.pictures = ["image", "move", "taken"].map((name) => {
      const canvas = find(`canvas.${name}`);
      const context = canvas.getContext("2d");
      return { canvas, context, image: context.createImageData(SIDE, SIDE) };
    });
    this.followed = ({ detail }) => this.sayWhereItIs(detail);
    this.back.addEventListener("click", () => this.go(-1));
    this.step.addEventListener("click", () => this.go(1));
    this.play.addEventListener("click", () => (this.timer ? this.pause() : this.start()));
    this.slider.addEventListener("input", () => {
      this.pause();
      this.draw();
    });
  }

  show(data) {
    if (this.data && this.data.id === data.id) return;
    this.pause();
    this.data = data;
    this.slider.max = data.loss.length - 1;
    this.slider.value = 0;
    this.draw();
    this.sayWhereItIs(window.smallChangeEpsilon);
  }

  // While the instrument's slider moves, these steps are of the place that it has left.
  sayWhereItIs(place) {
    const { epsilon } = this.data;
    const left = place !== undefined && epsilon !== null && Math.abs(place.epsilon - epsilon) > 1e-9;
    this.section.classList.toggle("left", left);
  }

  go(by) {
    this.pause();
    this.slider.value = this.slider.valueAsNumber + by;
    this.draw();
  }

  start() {
    const last = this.data.loss.length - 1;
    if (this.slider.valueAsNumber >= last) this.slider.value = 0;
    this.timer = setInterval(() => {
      this.slider.value = this.slider.valueAsNumber + 1;
      if (this.slider.valueAsNumber >= last) this.pause();
      this.draw();
    }, Math.min(PLAY, LONGEST / Math.max(1, last)));
    this.sayWhetherItPlays(true);
    this.draw();
  }

  pause() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = 0;
    this.sayWhetherItPlays(false);
  }

  sayWhetherItPlays(plays) {
    this.play.textContent = plays ? "❚❚ Pause" : "▶ Play";
    this.play.setAttribute("aria-pressed", String(plays));
  }

  draw() {
    const { data } = this;
    const at = this.slider.valueAsNumber;
    const last = data.loss.length - 1;
    const label = data.labels[at];
    const sure = `${Math.round(data.confidence[at] * 100)}\u00a0% sure`;
    this.section.classList.toggle("wrong", label !== data.label);
    this.digit.textContent = label;
    this.sure.textContent = `${sure}${at === data.flip ? ": here it flips" : ""}`;
    this.output.textContent = at ? `step ${at} of ${last}` : "start";
    this.slider.setAttribute("aria-valuetext", `${this.output.textContent}: ${label}, ${sure}`);
    // A button that is disabled would lose the focus.
    this.back.setAttribute("aria-disabled", String(at === 0));
    this.step.setAttribute("aria-disabled", String(at === last));
    this.numbers.textContent =
      `Loss ${data.loss[at].toFixed(3)}. ${data.norm}: ${data.distance[at].toFixed(data.digits)}` +
      `${data.budget}. Pixels taken back: ${data.counts[at]} of ${PIXELS}.`;
    if (this.announced !== `${data.id} ${label}`) {
      this.announced = `${data.id} ${label}`;
      this.announcement.textContent = `The network sees ${label}`;
    }
    this.drawPictures(at);
  }

  drawPictures(at) {
    const [now, move, taken] = this.pictures.map(({ image }) => image.data);
    const { images, moves, taken: back } = this.data;
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const place = 4 * pixel;
      const index = at * PIXELS + pixel;
      now[place] = now[place + 1] = now[place + 2] = images[index];
      now[place + 3] = 255;
      colour(move, place, moves[index] / 127);
      colour(taken, place, back[index] / 127);
    }
    for (const { context, image } of this.pictures) context.putImageData(image, 0, 0);
    const step = this.output.textContent;
    ["The image", "What is added: orange lighter, blue darker", "What is taken back"].forEach(
      (name, which) => this.pictures[which].canvas.setAttribute("aria-label", `${name}, ${step}`),
    );
  }
}

// Orange where a pixel gets lighter, blue where darker, dark grey where it stays.
function colour(data, place, change) {
  const size = Math.abs(change);
  const [red, green, blue] = change > 0 ? [255, 150, 30] : [60, 150, 255];
  data[place] = 34 + (red - 34) * size;
  data[place + 1] = 34 + (green - 34) * size;
  data[place + 2] = 34 + (blue - 34) * size;
  data[place + 3] = 255;
}
