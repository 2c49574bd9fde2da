// The hidden units under an attack. One message from the server brings every budget. The place of the
// slider comes from the explorer, by an event of the window: nothing is sent to the server.

const MOVED = "small-change-epsilon";
const NARROWEST = matchMedia("(pointer: coarse)").matches ? 18 : 14; // pixels a cell
const FILE_WIDTH = 1200;
const views = new WeakMap();

export default function ({ parentElement, data }) {
  let view = views.get(parentElement);
  if (!view) {
    view = new UnitsView(parentElement);
    views.set(parentElement, view);
  }
  view.show(unpack(data));
  return () => view.leave();
}

// See `message` in Python.
function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  const take = (Kind, count) => {
    const end = at + count * Kind.BYTES_PER_ELEMENT;
    const array = new Kind(bytes.slice(at, end).buffer);
    at = end;
    return array;
  };
  const { budgets, hidden } = about;
  return {
    ...about,
    epsilons: take(Float32Array, budgets),
    activations: hidden.map((units) => take(Float32Array, budgets * units)),
    logits: take(Float32Array, budgets * 10),
    weights: take(Float32Array, hidden.at(-1) * 10),
    carriers: take(Int32Array, budgets * about.carriers),
    carried: about.carriers,
    pictures: about.largest && take(Int8Array, hidden[0] * SIDE * SIDE),
    channels: about.maps.map((shape) => take(Int8Array, budgets * product(shape))),
  };
}

class UnitsView {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.body = find(".body");
    this.seen = find(".seen");
    this.figure = find(".unit");
    this.picture = find(".unit canvas");
    this.caption = find(".unit figcaption");
    this.logits = find(".logits");
    this.table = find("table");
    this.rows = find("tbody");
    this.layers = [];
    this.maps = [];
    this.follow = ({ detail }) => this.move(detail.index);
    this.resized = new ResizeObserver(() => this.place());
    find(".save").addEventListener("click", () => this.save());
  }

  show(data) {
    this.data = data;
    this.makeLayers(data);
    this.chosen = this.chosen && this.chosen.unit < data.hidden[this.chosen.layer] ? this.chosen : null;
    this.scales = data.activations.map((values) => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0));
    window.addEventListener(MOVED, this.follow);
    this.resized.observe(this.body);
    this.place();
    this.move(window.smallChangeEpsilon ? window.smallChangeEpsilon.index : data.start);
  }

  // The component has left the page.
  leave() {
    window.removeEventListener(MOVED, this.follow);
    this.resized.disconnect();
  }

  move(index) {
    this.index = Math.min(index, this.data.budgets - 1);
    this.redraw();
  }

  // Only here is the page's layout asked for: in a frame it would have to be computed anew.
  place() {
    for (const map of this.maps) map.place = mapGrid(map.shape, map.canvas.clientWidth);
    for (const layer of this.layers) layer.place = grid(layer.units, layer.slider.clientWidth, NARROWEST);
    this.redraw();
  }

  redraw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  makeLayers({ maps, before, hidden }) {
    const shapes = JSON.stringify([maps, before, hidden]);
    if (this.shapes === shapes) return;
    this.shapes = shapes;
    for (const { section } of [...this.maps, ...this.layers]) section.remove();
    this.maps = maps.map((shape, place) => this.makeMap(shape, place));
    this.layers = hidden.map((units, layer) => this.makeLayer(units, layer, before + layer + 1));
    this.body.style.setProperty("--maps", maps.length);
    this.body.style.setProperty("--layers", hidden.length);
    const [first, ...others] = this.layers.map(({ section }) => section);
    this.figure.before(...this.maps.map(({ section }) => section), first);
    this.figure.after(...others);
    this.chosen = null;
  }

  makeMap([channels, height, width], place) {
    const section = document.createElement("div");
    section.className = "layer";
    section.innerHTML = '<h4></h4><canvas role="img"></canvas>';
    const [head, canvas] = section.children;
    head.textContent = `Convolution ${place + 1}: ${channels} channels of ${height} × ${width}`;
    canvas.setAttribute("aria-label", `What convolution ${place + 1} passes on, channel by channel`);
    return { section, head, canvas, shape: [channels, height, width], place: null };
  }

  // A layer is one stop for the Tab key; the arrow keys go from unit to unit.
  makeLayer(units, layer, number) {
    const section = document.createElement("div");
    section.className = "layer";
    section.innerHTML = '<h4></h4><div role="slider" tabindex="0" aria-valuemin="1"><canvas></canvas></div>';
    const [head, slider] = section.children;
    slider.setAttribute("aria-label", `Units of layer ${number}, sorted by change`);
    slider.setAttribute("aria-valuemax", units);
    const at = ({ offsetX, offsetY }) => {
      const { columns, across, down } = this.layers[layer].place;
      const rank = Math.floor(offsetY / down) * columns + Math.min(columns - 1, Math.floor(offsetX / across));
      if (rank >= 0 && rank < units) this.choose(layer, rank);
    };
    slider.addEventListener("pointermove", at);
    slider.addEventListener("pointerdown", at);
    slider.addEventListener("focus", () => {
      if (slider.matches(":focus-visible")) this.choose(layer, this.rank(layer));
    });
    slider.addEventListener("keydown", (event) => this.press(event, layer));
    return { units, number, section, head, slider, canvas: slider.firstChild, place: null };
  }

  press(event, layer) {
    const { units, place } = this.layers[layer];
    const [rank, row] = [this.rank(layer), place.columns];
    const to = {
      ArrowRight: rank + 1, ArrowLeft: rank - 1, ArrowDown: rank + row, ArrowUp: rank - row,
      PageDown: rank + row, PageUp: rank - row, Home: 0, End: units - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(layer, Math.max(0, Math.min(units - 1, to)));
  }

  // The place of the chosen unit in its layer; the first one in the other layers.
  rank(layer) {
    return this.chosen && this.chosen.layer === layer ? this.orders[layer].indexOf(this.chosen.unit) : 0;
  }

  choose(layer, rank) {
    this.chosen = { layer, unit: this.orders[layer][rank] };
    this.draw();
  }

  // What the units of a layer do at the slider's place, and their order.
  state(layer) {
    const { activations, hidden } = this.data;
    const units = hidden[layer];
    const before = activations[layer].subarray(0, units);
    const now = activations[layer].subarray(this.index * units, (this.index + 1) * units);
    const change = Array.from(now, (value, unit) => value - before[unit]);
    const order = change.map((_, unit) => unit).sort((a, b) => change[b] - change[a] || a - b);
    const widest = Math.max(...change.map(Math.abs));
    return { before, now, change, order, largest: this.scales[layer], widest };
  }

  // What a convolution gives without the attack and at the slider's place, and its shape.
  mapState(place) {
    const { maps, channels } = this.data;
    const [count, size] = [product(maps[place]), channels[place]];
    return { shape: maps[place], before: size.subarray(0, count), now: size.subarray(this.index * count, (this.index + 1) * count) };
  }

  draw() {
    const states = this.layers.map((_, layer) => this.state(layer));
    this.states = states;
    this.orders = states.map(({ order }) => order);
    const { layer: shown, unit } = this.chosen ?? { layer: 0, unit: this.orders[0][0] };
    this.layers.forEach((layer, index) => {
      const { units, number, head, slider, canvas } = layer;
      const state = states[index];
      const [up, down] = [1, -1].map((sign) => state.change.filter((by) => by * sign > 0).length);
      say(head, `Layer ${number}: ${units} units, ${up} rise, ${down} fall`);
      drawLayer(sized(canvas, layer.place), state, layer.place, index === shown ? unit : -1);
      const rank = this.rank(index);
      slider.setAttribute("aria-valuenow", rank + 1);
      slider.setAttribute("aria-valuetext", `${rank + 1} of ${units}: ${this.words(index, this.orders[index][rank])}`);
    });
    this.maps.forEach((map, place) => drawMaps(sized(map.canvas, map.place), this.mapState(place), map.place));
    this.drawUnit(shown, unit);
    say(this.seen, this.title());
    this.drawCarriers();
  }

  title() {
    const [before, now] = [0, this.index].map((index) => largestOf(this.logitsAt(index)));
    return `Without attack: ${before}. At ${this.budget()}: ${now}.`;
  }

  budget() {
    const { axis, epsilons } = this.data;
    const { name, factor, digits, unit } = axis;
    return `${name} = ${(epsilons[this.index] * factor).toFixed(digits)}${unit}`;
  }

  words(layer, unit) {
    const { before, now } = this.states[layer];
    return `unit ${unit} of layer ${this.layers[layer].number}, ${before[unit].toFixed(2)} without the attack, ` +
      `${now[unit].toFixed(2)} with it`;
  }

  // A unit of the first layer looks at pixels; one of the last layer leads to the digits.
  drawUnit(layer, unit) {
    const { hidden, weights, pictures, largest } = this.data;
    const said = [this.words(layer, unit).replace(/^u/, "U") + "."];
    const first = layer === 0 && largest !== null;
    const toDigits = [...weights.slice(unit * 10, unit * 10 + 10)];
    const last = layer === hidden.length - 1;
    this.picture.hidden = !first && !last;
    if (first) said.push(`The picture: its weights to the pixels, ±${largest[unit].toFixed(2)} at most.`);
    if (last) {
      const [most, least] = [largestOf(toDigits), largestOf(toDigits.map((weight) => -weight))];
      said.push(`${first ? "To" : "The picture: its weights to"} the digits: ` +
        `${signed(toDigits[most])} to ${most}, ${signed(toDigits[least])} to ${least}.`);
    }
    if (first || last) said.push("Orange is above 0, blue below.");
    else said.push(`Its weights come from ${this.sourceOf(layer)}, so it has no picture.`);
    say(this.caption, said.join(" "));
    this.picture.setAttribute("aria-label", `The weights of unit ${unit} of layer ${this.layers[layer].number}`);
    if (this.drawn?.data === this.data && this.drawn.layer === layer && this.drawn.unit === unit) return;
    this.drawn = { data: this.data, layer, unit };
    const side = first ? SIDE : 2 * 168;
    this.picture.width = this.picture.height = side;
    this.picture.classList.toggle("pixels", first);
    const context = this.picture.getContext("2d");
    if (first) drawPixels(context, pictures.subarray(unit * SIDE * SIDE, (unit + 1) * SIDE * SIDE));
    else if (last) drawDigits(context, toDigits, side);
  }

  sourceOf(layer) {
    const number = this.layers[layer].number - 1;
    return number > this.data.before ? `the units of layer ${number}` : `convolution ${number}`;
  }

  logitsAt(index) {
    return [...this.data.logits.slice(index * 10, index * 10 + 10)];
  }

  // The weights that carry the change to the logits: [unit, digit, weight, change, contribution].
  carriers() {
    const { carriers, carried, weights } = this.data;
    const { change } = this.states.at(-1);
    return [...carriers.slice(this.index * carried, (this.index + 1) * carried)].map((place) => {
      const [unit, digit] = [Math.floor(place / 10), place % 10];
      return [unit, digit, weights[place], change[unit], weights[place] * change[unit]];
    });
  }

  drawCarriers() {
    const carriers = this.carriers().filter(([, , , , contribution]) => contribution !== 0);
    const asked = this.asked();
    say(this.logits, this.onLogits(asked));
    this.table.hidden = !carriers.length;
    say(this.table.caption, `The ${carriers.length} weights that carry most of it`);
    while (this.rows.children.length < carriers.length) {
      this.rows.insertRow().innerHTML = "<td></td><td></td><td></td><td></td>";
    }
    while (this.rows.children.length > carriers.length) this.rows.lastChild.remove();
    carriers.forEach(([unit, digit, ...numbers], row) => {
      const [name, ...cells] = this.rows.children[row].children;
      say(name, `${unit} → ${digit}`);
      this.rows.children[row].classList.toggle("asked", asked.includes(digit));
      cells.forEach((cell, at) => say(cell, signed(numbers[at])));
    });
  }

  // The digits in question: the one seen without the attack, and the strongest other one now.
  asked() {
    const from = largestOf(this.logitsAt(0));
    return [from, largestOf(this.logitsAt(this.index).map((logit, digit) => (digit === from ? -Infinity : logit)))];
  }

  onLogits(asked) {
    if (!this.states.at(-1).change.some((by) => by)) return "Nothing has changed here: turn up the slider.";
    const [before, now] = [this.logitsAt(0), this.logitsAt(this.index)];
    const [a, b] = asked.map((digit) =>
      `${digit} goes from ${plain(before[digit])} to ${plain(now[digit])} (${signed(now[digit] - before[digit])})`);
    return `The logit of ${a}, and that of ${b}. Each change is the sum over all ${this.data.hidden.at(-1)} ` +
      "units of the last layer: weight times change of the unit.";
  }

  // Download what is shown as one picture, black on white.
  save() {
    this.draw(); // the slider may have moved since the last frame
    const { label, attack, axis, title } = this.data;
    const carriers = this.carriers();
    const left = FILE_WIDTH - 340;
    const places = this.layers.map(({ units }) => grid(units, left - 40, NARROWEST));
    const mapPlaces = this.maps.map(({ shape }) => mapGrid(shape, left - 40));
    const canvas = document.createElement("canvas");
    canvas.width = FILE_WIDTH;
    canvas.height = Math.max(580, 200 + [...mapPlaces, ...places].reduce((sum, { height }) => sum + height + 50, 0)) + 40;
    const context = canvas.getContext("2d");
    fill(context, "#fff", 0, 0, canvas.width, canvas.height);
    const write = (text, x, y, size) => {
      context.font = `${size}px sans-serif`;
      context.fillStyle = "#000";
      context.fillText(text, x, y);
    };
    write(`${title}. ${this.title()}`, 20, 40, 26);
    let y = 80;
    const put = ({ head }, place, draw) => {
      write(head.textContent, 20, y, 20);
      const cells = document.createElement("canvas");
      draw(sized(cells, place));
      context.drawImage(cells, 20, y + 12, place.width, place.height);
      y += place.height + 50;
    };
    this.maps.forEach((map, at) =>
      put(map, mapPlaces[at], (cells) => drawMaps(cells, this.mapState(at), mapPlaces[at])));
    this.layers.forEach((layer, at) =>
      put(layer, places[at], (cells) => drawLayer(cells, this.states[at], places[at], -1)));
    write("Above without the attack, below with it; the brighter the more active.", 20, y, 18);
    write("Orange: rises. Blue: falls.", 20, y + 28, 18);
    write("unit → digit: weight × change = to the logit", left, 80, 16);
    carriers.forEach(([unit, digit, ...numbers], row) => {
      const [weight, change, contribution] = numbers.map(signed);
      write(`${unit} → ${digit}:  ${weight} × ${change} = ${contribution}`, left, 112 + 28 * row, 18);
    });
    if (!this.picture.hidden) {
      write(this.picture.getAttribute("aria-label"), left, 412, 18);
      context.imageSmoothingEnabled = false;
      context.drawImage(this.picture, left, 424, 168, 168);
    }
    const link = document.createElement("a");
    const way = axis.unit ? "way" : "epsilon";
    const budget = this.budget().split(" = ")[1].replace(axis.unit, "");
    link.download = `${label}-${attack}-${way}-${budget}-units.png`;
    canvas.toBlob((file) => {
      link.href = URL.createObjectURL(file);
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    });
  }
}

// Make a canvas as large as its place on this screen; return its context, in CSS pixels.
function sized(canvas, { width, height }) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

// Change an element's text, if it is another one: each change costs the browser a layout.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function product(shape) {
  return shape.reduce((a, b) => a * b, 1);
}

function largestOf(values) {
  return values.indexOf(Math.max(...values));
}

function plain(value) {
  const text = value.toFixed(2);
  return text === "-0.00" ? "0.00" : text.replace("-", "−");
}

function signed(value) {
  return (value >= 0.005 ? "+" : "") + plain(value);
}
