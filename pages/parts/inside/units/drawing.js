// How layers and weights are drawn, on the page and into the picture that downloads.

const SIDE = 28;
const DARK = [34, 34, 34]; // no activity, no weight
const BRIGHT = [255, 255, 255];
const RISES = [255, 150, 30];
const FALLS = [60, 150, 255];
const [ACTIVITY, RISE, FALL] = [BRIGHT, RISES, FALLS].map(shades);
const BLOCK = 11; // pixels: the height of a half of a cell
const LINE = 4; // the line between the halves, which shows the change
const GAP = 2;
const [SMALLEST, LARGEST] = [36, 84]; // pixels: the width of a convolution's channel
const small = document.createElement("canvas"); // one channel, before it is enlarged

// Where the cells of a layer lie: as many columns as there is room for, a power of two.
function grid(units, width, narrowest) {
  let columns = 64;
  while (columns > 8 && width / columns < narrowest) columns /= 2;
  const rows = Math.ceil(units / columns);
  const down = 2 * BLOCK + LINE + 3 * GAP;
  return { columns, rows, width, across: width / columns, down, height: rows * down };
}

// The units of a layer, each a cell: above without the attack, below with it.
function drawLayer(context, { order, before, now, largest, widest }, place, outlined) {
  context.clearRect(0, 0, place.width, place.height);
  order.forEach((unit, rank) => {
    const x = (rank % place.columns) * place.across;
    const y = Math.floor(rank / place.columns) * place.down;
    const wide = place.across - GAP;
    const change = now[unit] - before[unit];
    fill(context, shade(ACTIVITY, before[unit], largest), x, y, wide, BLOCK);
    fill(context, shade(change > 0 ? RISE : FALL, Math.abs(change), widest), x, y + BLOCK, wide, LINE);
    fill(context, shade(ACTIVITY, now[unit], largest), x, y + BLOCK + LINE, wide, BLOCK);
    if (unit !== outlined) return;
    context.strokeStyle = "#2f7fc1";
    context.lineWidth = 3;
    context.strokeRect(x + 0.5, y + 0.5, wide - 1, 2 * BLOCK + LINE - 1);
  });
}

// The shades from dark to a colour, as CSS has them: made once, because a frame needs hundreds.
function shades(colour) {
  return Array.from({ length: 65 }, (_, step) => {
    const channels = DARK.map((dark, at) => Math.round(dark + ((colour[at] - dark) * step) / 64));
    return `rgb(${channels.join()})`;
  });
}

// The shade of a value, whatever its sign. The square root shows small values too.
function shade(colours, value, largest) {
  return colours[largest > 0 ? Math.round(64 * Math.sqrt(Math.abs(value) / largest)) : 0];
}

// Where the channels of a convolution lie, each three pictures one above the other.
function mapGrid([channels, height, width], space) {
  const most = Math.max(1, Math.min(channels, Math.floor(space / (SMALLEST + GAP))));
  const columns = Math.ceil(channels / Math.ceil(channels / most)); // rows of about the same length
  const wide = Math.min(LARGEST, Math.floor(space / columns) - GAP);
  const high = Math.round((wide * height) / width);
  const [across, down] = [wide + GAP, 3 * (high + GAP) + LINE];
  return { columns, wide, high, across, down, width: space, height: Math.ceil(channels / columns) * down };
}

// The channels of a convolution, bytes from -127 to 127: without the attack, with it, the change.
function drawMaps(context, { shape: [channels, height, width], before, now }, place) {
  context.clearRect(0, 0, place.width, place.height);
  context.imageSmoothingEnabled = false; // each number is a square
  const size = height * width;
  const change = Int16Array.from(now, (value, at) => value - before[at]);
  const widest = change.reduce((most, by) => Math.max(most, Math.abs(by)), 1);
  [small.width, small.height] = [width, height];
  const pen = small.getContext("2d");
  const picture = pen.createImageData(width, height);
  [[before, 127], [now, 127], [change, widest]].forEach(([values, largest], row) => {
    for (let channel = 0; channel < channels; channel++) {
      for (let at = 0; at < size; at++) {
        const value = values[channel * size + at];
        const colour = values !== change ? BRIGHT : value > 0 ? RISES : FALLS;
        tint(picture, at, colour, Math.sqrt(Math.abs(value) / largest)); // shows small values too
      }
      pen.putImageData(picture, 0, 0);
      const x = (channel % place.columns) * place.across;
      const y = Math.floor(channel / place.columns) * place.down + row * (place.high + GAP);
      context.drawImage(small, x, y, place.wide, place.high);
    }
  });
}

// Colour a pixel of a picture, from dark to a colour.
function tint(picture, pixel, colour, share) {
  DARK.forEach((dark, channel) => {
    picture.data[4 * pixel + channel] = dark + (colour[channel] - dark) * share;
  });
  picture.data[4 * pixel + 3] = 255;
}

function fill(context, colour, x, y, width, height) {
  context.fillStyle = colour;
  context.fillRect(x, y, width, height);
}

// A unit's weights to the pixels, bytes from -127 to 127: orange above 0, blue below.
function drawPixels(context, weights) {
  const picture = context.createImageData(SIDE, SIDE);
  weights.forEach((weight, pixel) => {
    tint(picture, pixel, weight > 0 ? RISES : FALLS, Math.abs(weight) / 127);
  });
  context.putImageData(picture, 0, 0);
}

// A unit's weights to the ten digits, as bars up and down.
function drawDigits(context, weights, side) {
  fill(context, RISE[0], 0, 0, side, side);
  const [wide, middle] = [side / 10, side / 2];
  const gain = (middle - 0.1 * side) / Math.max(...weights.map(Math.abs), 1e-9);
  context.font = `${side / 14}px sans-serif`;
  context.textAlign = "center";
  weights.forEach((weight, digit) => {
    const size = weight * gain;
    fill(context, (weight > 0 ? RISE : FALL)[64], digit * wide + 2, middle - Math.max(size, 0), wide - 4, Math.abs(size));
    context.fillStyle = "#fff";
    context.fillText(digit, (digit + 0.5) * wide, weight > 0 ? middle + side / 14 : middle - 4);
  });
}
