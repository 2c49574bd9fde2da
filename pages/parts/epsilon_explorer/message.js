// The server's one message: four bytes with the length of a JSON text, the text, the budgets as
// doubles, for each network under attack a row of floats for each budget (L2 norm, ten
// probabilities), and compressed the frames of all, each pixel under all budgets, as its changes
// modulo 256.

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const COLUMNS = 11;

async function unpack(bytes) {
  let place = 0;
  const next = (size) => bytes.slice(place, (place += size)); // a copy, which is aligned
  const [length] = new Uint32Array(next(4).buffer);
  const about = JSON.parse(new TextDecoder().decode(next(length)));
  const { name, flip, sentence, proof, second, budgets } = about;
  const said = [{ name, flip, sentence, proof }, ...(second ? [second] : [])];
  const epsilons = [...new Float64Array(next(8 * budgets).buffer)];
  const tables = said.map(() => new Float32Array(next(4 * budgets * COLUMNS).buffer));
  const changes = await decompress(bytes.subarray(place));
  const paths = said.map((words, at) => {
    const own = changes.subarray(at * budgets * PIXELS, (at + 1) * budgets * PIXELS);
    return { ...words, ...unpackTable(tables[at]), ...unpackFrames(own, budgets) };
  });
  return { ...about, epsilons, paths };
}

async function decompress(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function unpackTable(numbers) {
  const rows = Array.from({ length: numbers.length / COLUMNS }, (_, row) =>
    [...numbers.subarray(COLUMNS * row, COLUMNS * (row + 1))]);
  const probabilities = rows.map((row) => row.slice(1));
  return {
    l2_norm: rows.map(([norm]) => norm),
    probabilities,
    predictions: probabilities.map((shares) => shares.indexOf(Math.max(...shares))),
  };
}

// The frames, one after the other, from each pixel's changes; and how far each is from the first.
function unpackFrames(changes, budgets) {
  const frames = new Uint8Array(budgets * PIXELS);
  const farthest = new Uint8Array(budgets);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const clean = changes[pixel * budgets];
    let level = 0;
    for (let budget = 0; budget < budgets; budget++) {
      level = (level + changes[pixel * budgets + budget]) & 255;
      frames[budget * PIXELS + pixel] = level;
      farthest[budget] = Math.max(farthest[budget], Math.abs(level - clean));
    }
  }
  return { frames, linf_norm: [...farthest].map((levels) => levels / 255) };
}
