// What one network sees: its verdict, its track, its sentence, its pictures and its bars.

const BEGINS = 0.4; // the share of the track below which a flip's words begin at it: others fit before

class NetworkView {
  // Put the template's parts into the explorer, each into its own place. `more` is called with a
  // proof's key when somebody wants a better one.
  constructor(template, places, more) {
    this.parts = [...template.content.cloneNode(true).children];
    this.parts.forEach((part, at) => places[at].append(part));
    const [verdict, lane, said, panel] = this.parts;
    this.verdict = verdict;
    this.sentence = said.querySelector(".sentence");
    this.proof = new ProofView(lane, said, more);
    this.label = verdict.querySelector(".label");
    this.whose = [lane, panel].map((part) => part.querySelector(".whose"));
    this.before = verdict.querySelector(".before");
    this.now = verdict.querySelector(".now");
    this.certainty = verdict.querySelector(".certainty");
    this.stretches = lane.querySelector(".stretches");
    this.mark = lane.querySelector(".mark");
    this.pictures = new Pictures(panel);
    this.bars = panel.querySelector(".bars");
    this.columns = Array.from({ length: 10 }, (_, digit) => this.addColumn(digit));
  }

  addColumn(digit) {
    const column = add(this.bars, "column");
    const percent = add(column, "percent");
    const well = add(column, "well");
    const fill = add(well, "fill");
    const was = add(well, "was");
    add(column, "name").textContent = digit;
    return { column, percent, fill, was };
  }

  remove() {
    for (const part of this.parts) part.remove();
  }

  // Take up a network's path; `draw` then shows it at a budget. One of two networks has a name.
  show(path, { label, paths }) {
    this.path = path;
    this.meant = label;
    const name = paths.length > 1 ? path.name : "";
    this.who = name ? `${name} sees` : "The network sees";
    this.label.textContent = this.who;
    for (const whose of this.whose) whose.textContent = name;
    this.columns.forEach(({ was, column }, digit) => {
      was.style.bottom = `calc(${path.probabilities[0][digit] * 100}% - 2px)`;
      column.classList.toggle("label", digit === label);
    });
  }

  // Show or hide what tells where the prediction flips, and to what.
  reveal(shown, { axis, epsilons, paths }) {
    const { path } = this;
    this.sentence.hidden = !shown;
    this.sentence.textContent = "";
    if (shown) this.sentence.textContent = (paths.length > 1 ? `${path.name}: ` : "") + path.sentence;
    this.showTrack(shown ? stretchesOf(path, epsilons) : [], axis, epsilons.at(-1));
    this.showMark(shown ? path.flip : null, epsilons.at(-1));
  }

  // The track's colours: what the network sees in each stretch, blue where that is the label.
  showTrack(stretches, axis, last) {
    this.stretches.replaceChildren();
    let wrong = 0;
    for (const { digit, from, to } of stretches) {
      // Neighbouring wrong digits have stripes of the other direction.
      const kind = digit === this.meant ? "right" : ++wrong % 2 ? "wrong" : "wrong other";
      const stretch = add(this.stretches, `stretch ${kind}`);
      stretch.style.left = `${(100 * from) / last}%`;
      stretch.style.width = `${(100 * (to - from)) / last}%`;
      add(stretch, "over").textContent = digit;
    }
    const seen = stretches.map(({ digit, from }) => `${digit} from ${budgetText(from, axis)}`);
    this.stretches.ariaLabel = seen.length ? `${this.who} ${seen.join(", ")}` : null;
    this.stretches.role = seen.length ? "img" : null; // a picture needs a name
  }

  showMark(flip, last) {
    this.mark.hidden = flip === null;
    this.mark.firstElementChild.textContent = flip === null ? "" : `flips to ${flip.after}`;
    if (flip === null) return;
    const share = flip.epsilon / last;
    this.mark.style.left = `${100 * share}%`;
    this.mark.className = share < BEGINS ? "mark first" : share > 0.85 ? "mark last" : "mark";
  }

  // Show the network's answer for a budget, which `at` has in words; return it in words.
  draw(index, at) {
    const { probabilities, predictions } = this.path;
    const shares = probabilities[index];
    const [clean, predicted] = [predictions[0], predictions[index]];
    this.pictures.draw(this.path, index, at);
    this.columns.forEach(({ column, percent, fill }, digit) => {
      const share = shares[digit];
      fill.style.transform = `scaleY(${share})`;
      percent.textContent = share < 0.005 ? "" : inPercent(share);
      column.classList.toggle("predicted", digit === predicted);
    });
    this.verdict.classList.toggle("flipped", predicted !== clean);
    this.before.classList.toggle("wrong", clean !== this.meant);
    this.now.classList.toggle("wrong", predicted !== this.meant);
    this.before.textContent = clean;
    this.now.textContent = predicted;
    const sure = `${inPercent(shares[predicted])} sure`;
    this.certainty.textContent = sure;
    this.bars.setAttribute("aria-label", `Probabilities at ${at}: ` +
      shares.map((share, digit) => `${digit}: ${inPercent(share)}`).join(", "));
    this.seen = `${this.who} ${predicted}`;
    return `${this.seen}, ${sure}`;
  }
}

// The first budget's place at which a network sees another digit than without an attack; the last
// place if there is none.
function flipPlace({ predictions }) {
  const place = predictions.findIndex((digit) => digit !== predictions[0]);
  return place < 0 ? predictions.length - 1 : place;
}

// The stretches of budgets in which a network sees the same digit. The first flip is known more
// finely than the budgets.
function stretchesOf({ predictions, flip }, epsilons) {
  const stretches = [];
  predictions.forEach((digit, index) => {
    if (digit === stretches.at(-1)?.digit) return;
    const exact = flip !== null && stretches.length === 1;
    const from = exact ? flip.epsilon : epsilons[index];
    if (index > 0) stretches.at(-1).to = from;
    stretches.push({ digit, from, to: epsilons.at(-1) });
  });
  return stretches;
}

function inPercent(share) {
  return `${Math.round(share * 100)}\u00a0%`;
}

// A budget as text, with the decimals and the unit of its axis.
function budgetText(epsilon, { factor, digits, unit }) {
  return (epsilon * factor).toFixed(digits) + unit;
}

function add(parent, className) {
  const element = document.createElement("div");
  element.className = className;
  parent.append(element);
  return element;
}
