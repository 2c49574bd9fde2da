// The code's place on the page, under its name: the explorers wait for it, and it may come later.

const kept = (window[CODE] ??= {});
kept.code ??= new Promise((resolve) => (kept.bring = resolve));
