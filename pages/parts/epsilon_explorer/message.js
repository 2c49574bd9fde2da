// The server's one message: four bytes with the length of a JSON text, the text, and for each
// network under attack a row of doubles for each budget (ε, L2 norm, L∞ norm, ten probabilities) and
// the frames.

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const COLUMNS = 13;

function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const size = about.budgets * (COLUMNS * 8 + PIXELS);
  const path = (place) => unpackPath(bytes.subarray(4 + length + place * size), about.budgets);
  const { name, flip, sentence, second } = about;
  const said = [{ name, flip, sentence }, ...(second ? [second] : [])];
  const paths = said.map((words, place) => ({ ...words, ...path(place) }));
  return { ...about, epsilons: paths[0].epsilons, paths };
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
    frames: bytes.subarray(budgets * COLUMNS * 8),
  };
}
