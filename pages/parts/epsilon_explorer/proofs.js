// What is proved of the digit: below some ε no change of any kind flips the prediction. And what a
// closer look finds: a change that does, often smaller than the chosen attack's. The explorer asks
// for the proof once it shows a digit, and again while something is being computed. The answers come
// by another component (see courier.js), as an event.

const ANSWERED = "small-change-proofs";
const STROKES = 700; // milliseconds after which a digit counts as drawn
const AGAIN = 500; // milliseconds between two looks at a proof that is still being computed
const LOST = 4000; // milliseconds without an answer, the first time; then twice as many
const TRIES = 4;

class ProofAsker {
  constructor(explorer) {
    this.explorer = explorer;
    const heard = () => {
      if (explorer.section.isConnected) this.heard();
      else removeEventListener(ANSWERED, heard);
    };
    addEventListener(ANSWERED, heard);
    // While the slider is dragged, nothing is sent to the server.
    const release = () => (this.isHeld = false);
    explorer.slider.addEventListener("pointerdown", () => {
      this.isHeld = true;
      for (const end of ["pointerup", "pointercancel"]) {
        addEventListener(end, release, { capture: true, once: true });
      }
    });
  }

  // Show what is known of the digit, and ask for the rest; nothing as long as the flip is hidden.
  // It lies beyond what is proved, so that would help to guess it.
  show() {
    clearTimeout(this.timer);
    this.tries = 0;
    this.tell();
    if (this.waitsFor().length) this.askIn(STROKES);
  }

  heard() {
    this.tries = 0;
    this.tell();
    if (this.waitsFor().length) this.askIn(AGAIN);
    else clearTimeout(this.timer);
  }

  // The keys of the proofs that are to come.
  waitsFor() {
    const { data, hidden } = this.explorer;
    if (hidden) return [];
    return data.paths.map(({ proof }) => proof).filter((key) => key && !known(key)?.ended);
  }

  askIn(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.explorer.section.isConnected || !this.waitsFor().length) return;
      if (this.isHeld || document.hidden) this.askIn(AGAIN);
      else this.ask("");
    }, milliseconds);
  }

  // Ask for what is proved; for a closer look at one, if a key is given.
  ask(more) {
    if (more) this.tries = 0;
    if (this.tries === TRIES) return;
    window.smallChangeProofs?.ask?.(more);
    this.askIn(LOST * 2 ** this.tries++);
  }

  tell() {
    const { explorer } = this;
    for (const view of explorer.views) {
      view.proof.show(view.path, explorer.data, explorer.hidden);
    }
  }
}

function known(key) {
  return window.smallChangeProofs?.known.get(key);
}

// What is proved and found of one network's prediction: its parts of the track, and its sentence.
class ProofView {
  constructor(lane, said, more) {
    this.whole = lane.querySelector(".provable");
    this.found = lane.querySelector(".found");
    this.line = said.querySelector(".proof");
    this.sentence = this.line.querySelector("span");
    this.news = said.querySelector(".news");
    this.button = this.line.querySelector("button");
    this.button.addEventListener("click", () => {
      if (this.button.ariaDisabled !== "true") more(this.key);
    });
  }

  show(path, data, hidden) {
    this.key = path.proof;
    const proof = hidden ? undefined : known(path.proof);
    this.line.hidden = !path.proof;
    this.line.style.visibility = hidden ? "hidden" : ""; // it keeps its place until the flip is seen
    this.showParts(proof, path, data);
    this.sentence.textContent = hidden || !path.proof ? "" : inWords(proof, path, data);
    this.showButton(proof, data.paths.length > 1 ? `: ${path.name}` : "");
    // A screen reader announces what has ended, not every step on the way.
    const news = proof?.ended ? this.sentence.textContent : "";
    if (this.news.textContent !== news) this.news.textContent = news;
  }

  // The parts of the track before the chosen attack's flip: proved, open, and found by another.
  showParts(proof, path, data) {
    const { flip } = path;
    const last = data.epsilons.at(-1);
    const end = flip === null ? last : flip.epsilon;
    this.whole.hidden = !proof || proof.epsilon === null || !end;
    if (this.whole.hidden) return;
    const share = (epsilon) => `${(100 * Math.min(epsilon, end)) / end}%`;
    this.whole.style.width = `${(100 * end) / last}%`;
    this.whole.classList.toggle("centred", flip !== null && end / last >= BEGINS);
    this.whole.classList.toggle("some", proof.epsilon > 0);
    this.whole.style.setProperty("--proved", share(proof.epsilon));
    this.found.hidden = !isCloser(proof, path, data);
    this.whole.style.setProperty("--found", this.found.hidden ? "100%" : share(proof.found));
  }

  // A button for more, which says meanwhile how far that is.
  showButton(proof, whose) {
    const works = Boolean(proof) && !proof.ended && proof.epsilon !== null;
    const { button, line } = this;
    if (button.matches(":focus") && !works && !proof?.canRise) {
      line.tabIndex = -1;
      line.focus({ preventScroll: true }); // the button is gone
    }
    button.hidden = !works && !proof?.canRise;
    button.ariaDisabled = works ? "true" : null;
    const closer = proof?.epsilon !== null;
    let text = closer ? "Look closer" : "Prove it";
    if (works) text = proof.ahead ? `${proof.ahead} before you` : `Searching ${inPercent(proof.share)}`;
    if (button.textContent !== text) button.textContent = text;
    button.ariaLabel = works ? null : text + whose;
    button.title = closer && !works ? HELP : "";
  }
}

const HELP = "The strongest attack looks for a smaller change. If this is a single network, a longer " +
  "calculation then tries to prove more. It takes some seconds, and a gap usually stays.";
const FINDERS = { attack: "the strongest attack", search: "the search for a proof" };

// Whether another one flips the prediction at a smaller ε than the chosen attack, as it is written.
function isCloser({ found }, { flip }, { epsilons, axis }) {
  if (found === null) return false;
  const [mine, other] = [flip?.epsilon ?? epsilons.at(-1), found].map((epsilon) => budgetText(epsilon, axis));
  return Number(other) < Number(mine);
}

function inWords(proof, path, data) {
  const whose = data.paths.length > 1 ? `${path.name}: ` : "";
  if (!proof || (!proof.ended && proof.epsilon === null)) return `${whose}Looking for a proof …`;
  if (proof.epsilon === null) {
    return `${whose}Not proved. ${proof.problem || "For a network of this size it takes a while."}`;
  }
  const [digit] = path.predictions;
  const least = atMost(proof.epsilon, data.axis);
  const after = proof.seconds >= 1 ? `, after a search of ${Math.round(proof.seconds)} s` : "";
  const proved = Number(least)
    ? `Proved${after}: no change below ε\u00a0=\u00a0${least} flips the prediction ${digit}.`
    : `Proved${after}: nothing about the prediction ${digit}.`;
  const problem = proof.problem ? ` ${proof.problem}` : "";
  return `${whose}${proved} Found: ${foundInWords(proof, path, data)}${problem}`;
}

// What the chosen attack finds and, if that has been looked for, the smallest change that is known.
function foundInWords(proof, path, data) {
  const { axis, epsilons, title } = data;
  const { flip } = path;
  const at = (epsilon) => budgetText(epsilon, axis);
  const own = flip === null
    ? `${title} does not flip it, up to ${at(epsilons.at(-1))}`
    : `${title} flips it to ${flip.after} at ${at(flip.epsilon)}`;
  let other = proof.attacked ? "; the strongest attack finds nothing smaller" : "";
  if (isCloser(proof, path, data)) {
    const finder = FINDERS[proof.finder];
    other = flip === null
      ? `; ${finder} does, to ${proof.after} at ${at(proof.found)}`
      : `, ${finder} to ${proof.after} at ${at(proof.found)}`;
  }
  return `${own}${other}. ${hasGap(proof, path) ? "What lies between is open." : EXACT}`;
}

const EXACT = "On a screen, nothing smaller does."; // both ends are on neighbouring grey levels

// Whether a change is neither proved to do nothing nor found to flip, on a screen's grey levels. A
// picture of k levels is found at a budget of k − 1/2 levels or more.
function hasGap({ epsilon, found }, { flip }) {
  const least = Math.min(flip?.epsilon ?? Infinity, found ?? Infinity);
  return Math.floor(255 * least + 0.5 + 1e-6) > 255 * epsilon + 1;
}

// A budget that is proved, rounded down, so that no more is said than is.
function atMost(epsilon, { digits }) {
  return (Math.floor(epsilon * 10 ** digits + 1e-9) / 10 ** digits).toFixed(digits);
}
