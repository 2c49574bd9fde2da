// The slider moves once by itself, from 0 to the flip, so that one sees what it does.

const TAKES = 3000; // milliseconds
const INPUT = ["pointerdown", "keydown", "wheel", "touchstart"]; // each ends it

const played = new Set(); // the ids of data; also when the explorer has been away

function play(explorer, data) {
  if (played.has(data.id)) return;
  played.add(data.id);
  const end = Math.max(...data.paths.map(flipPlace));
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const { slider } = explorer;
  const moveTo = (place) => {
    slider.value = place; // tells nobody, as only an input by hand is an event
    explorer.draw();
  };
  if (still) return moveTo(end);

  let goesOn = true;
  const stop = () => {
    goesOn = false;
    for (const name of INPUT) removeEventListener(name, stop, { capture: true });
  };
  for (const name of INPUT) addEventListener(name, stop, { capture: true, passive: true });
  let began;
  const step = (now) => {
    if (!goesOn || explorer.data.id !== data.id) return stop();
    began ??= now;
    const share = Math.min(1, (now - began) / TAKES);
    moveTo(Math.round(end * share));
    if (share < 1) requestAnimationFrame(step);
    else stop();
  };
  moveTo(0);
  requestAnimationFrame(step);
}
