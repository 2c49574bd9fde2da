// The server's one message: four bytes with the length of a JSON text, the text, and compressed, for
// each network under attack, a row of doubles for each budget (ε, L2 norm, L∞ norm, ten
// probabilities) and the frames, each pixel under all budgets, as its changes modulo 256.

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const COLUMNS = 13;

async function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const numbers = await decompress(bytes.subarray(4 + length));
  const size = about.budgets * (COLUMNS * 8 + PIXELS);
  const path = (place) => unpackPath(numbers.subarray(place * size), about.budgets);
  const { name, flip, sentence, proof, second } = about;
  const said = [{ name, flip, sentence, proof }, ...(second ? [second] : [])];
  const paths = said.map((words, place) => ({ ...words, ...path(place) }));
  return { ...about, epsilons: paths[0].epsilons, paths };
}

async function decompress(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function unpackPath(bytes, budgets) {
  const numbers = [...new Float64Array(bytes.slice(0, budgets * COLUMNS * 8).buffer)];
  const rows = Array.from({ length: budgets }, (_, row) =>
    numbers.slice(COLUMNS * row, COLUMNS * (row + 1)));
  const probabilities = rows.map((row) => row.slice(3));
  return {
    epsilons: rows.map(([epsilon]) => epsilon),
    l2_norm: rows.map(([, norm]) => norm),
    linf_norm: rows.map(([, , norm]) => norm),
    probabilities,
    predictions: probabilities.map((shares) => shares.indexOf(Math.max(...shares))),
    frames: sums(bytes.subarray(budgets * COLUMNS * 8), budgets),
  };
}

// The frames, one after the other, from each pixel's changes.
function sums(changes, budgets) {
  const frames = new Uint8Array(budgets * PIXELS);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    let level = 0;
    for (let budget = 0; budget < budgets; budget++) {
      level = (level + changes[pixel * budgets + budget]) & 255;
      frames[budget * PIXELS + pixel] = level;
    }
  }
  return frames;
}
