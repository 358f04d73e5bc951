"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const text = (id, value) => { element(id).textContent = value; };
  const whole = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 2 });
  const share = (part, all) => (all > 0 ? (part / all).toFixed(4) : "–");

  const stored = element("counts");
  if (stored) {
    const counts = JSON.parse(stored.textContent);
    const slider = element("threshold-slider");
    const cost = (id) => Math.max(0, Number(element(id).value) || 0);
    const at = (k) => {
      const fp = counts.negative[k], tp = counts.positive[k];
      return { tp, fp, fn: counts.positive[0] - tp, tn: counts.negative[0] - fp };
    };
    const price = (cell) => cell.fp * cost("cost-positive") + cell.fn * cost("cost-negative");
    const show = () => {
      const cell = at(Number(slider.value));
      const { tp, fp, fn, tn } = cell;
      text("threshold-value", (Number(slider.value) / 1000).toFixed(3));
      for (const name of ["tp", "fp", "fn", "tn"]) text(name, whole(cell[name]));
      text("precision", share(tp, tp + fp));
      text("recall", share(tp, tp + fn));
      text("f1", share(2 * tp, 2 * tp + fp + fn));
      text("specificity", share(tn, tn + fp));
      text("accuracy", share(tp + tn, tp + fp + fn + tn));
      text("cost", whole(price(cell)));
    };
    for (const id of ["threshold-slider", "cost-positive", "cost-negative"]) element(id).addEventListener("input", show);
    element("cheapest").addEventListener("click", () => {
      let best = 0;
      for (let k = 1; k < counts.thresholds; k += 1) if (price(at(k)) < price(at(best))) best = k;
      slider.value = String(best);
      show();
    });
    show();
  }

  const search = element("search");
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const group of document.querySelectorAll(".group")) {
      let here = 0;
      for (const line of group.querySelectorAll("li")) {
        line.hidden = !line.dataset.name.includes(wanted);
        here += line.hidden ? 0 : 1;
      }
      group.hidden = here === 0;
      shown += here;
    }
    text("found", wanted ? `${shown} found` : "");
  });
})();
