// The hardware what-if. Same rules as ffenergy/costs/on_chip.py and ffenergy/report/answer.py.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("whatif-data").textContent);
  const byId = (id) => document.getElementById(id);
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  // ---- costs ---------------------------------------------------------------------------------

  const powerBelow = (size) => 2 ** Math.floor(Math.log2(size));

  /** Capacities of all levels but the last: the largest takes `size`, no faster one is larger. */
  function capacities(profile, size) {
    const own = profile.levels.slice(0, -1).map((level) => level.capacity);
    return [...own.slice(0, -1).map((c) => powerBelow(Math.min(c, size))), size];
  }

  /** The first level that reaches a distance; -1, a first read, comes from the last. */
  function serving(distance, sizes) {
    if (distance < 0) return sizes.length;
    const found = sizes.findIndex((size) => distance <= size);
    return found < 0 ? sizes.length : found;
  }

  /** Energy by phase of one algorithm: {phase: {compute, levels: [...]}}. */
  function costsOf(profile, size, scope, algorithm, accounting) {
    const sizes = capacities(profile, size);
    const compute = profile.compute[scope]?.[algorithm] ?? {};
    const bins = data.histogram[scope]?.[algorithm]?.[accounting] ?? {};
    const found = {};
    for (const phase of new Set([...Object.keys(compute), ...Object.keys(bins)])) {
      const levels = profile.levels.map(() => 0);
      for (const [distance, read, written, allocated] of bins[phase] ?? []) {
        const number = serving(distance, sizes);
        const level = profile.levels[number];
        const fetched = number > 0 ? read + allocated : read;
        levels[number] += (fetched * level.read + written * level.write) * profile.scale;
      }
      found[phase] = { compute: compute[phase] ?? 0, levels };
    }
    return found;
  }

  const energyOf = (cost) => cost.compute + sum(cost.levels);

  /** Compute, each level, and all: summed over phases. */
  function totals(costs, profile) {
    const all = Object.values(costs);
    return {
      compute: sum(all.map((cost) => cost.compute)),
      levels: profile.levels.map((_, k) => sum(all.map((cost) => cost.levels[k]))),
      all: sum(all.map(energyOf)),
    };
  }

  // ---- words ---------------------------------------------------------------------------------

  const prefixes = { 15: "P", 12: "T", 9: "G", 6: "M", 3: "k", 0: "", "-3": "m", "-6": "µ", "-9": "n", "-12": "p" };
  const grouped = (text) => text.replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ",");
  const fixed = (value, decimals) => grouped(value.toFixed(decimals));
  const exponentOf = (value) => Number(value.toExponential().split("e")[1]);

  function figure(value) {
    const rounded = Number(value.toPrecision(3));
    return fixed(rounded, rounded === 0 ? 0 : Math.max(0, 2 - exponentOf(Math.abs(rounded))));
  }

  function quantity(value, unit) {
    if (value === 0) return `0 ${unit}`;
    const digits = exponentOf(Math.abs(Number(value.toPrecision(3))));
    const exponent = Math.min(Math.max(3 * Math.floor(digits / 3), unit === "J" ? -12 : 0), 15);
    return `${figure(value / 10 ** exponent)} ${prefixes[exponent]}${unit}`;
  }

  /** One prefix and number of decimals for all numbers up to `largest`. */
  function scaleFor(largest, unit) {
    const power = largest ? Math.min(Math.max(Math.floor(exponentOf(largest) / 3), -4), 5) : 0;
    const scale = 1000 ** power;
    const decimals = largest ? Math.max(0, 3 - exponentOf(largest / scale)) : 0;
    const show = (value) => {
      if (value === 0) return "0";
      return value / scale < 0.5 * 10 ** -decimals ? "≈ 0" : fixed(value / scale, decimals);
    };
    return { unit: `${prefixes[3 * power]}${unit}`, show };
  }

  const percent = (share) => `${(100 * share).toFixed(1)} %`;

  function memorySize(size) {
    for (const [unit, bytes] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
      if (size >= bytes) return `${Number((size / bytes).toPrecision(3))} ${unit}`;
    }
    return `${size} B`;
  }

  function partsOf(ff, bp) {
    const parts = {};
    for (const [costs, sign] of [[ff, 1], [bp, -1]]) {
      for (const [phase, cost] of Object.entries(costs)) {
        const part = data.parts[phase];
        parts[part] = (parts[part] ?? 0) + sign * energyOf(cost);
      }
    }
    return parts;
  }

  function normalisationClause(normalisation, saved, unit) {
    const cost = quantity(Math.abs(normalisation), unit);
    if (normalisation === 0) return "L2 normalisation eats none of it";
    if (normalisation < 0) return `L2 normalisation costs ${cost} less than in backprop`;
    if (saved <= 0) return `L2 normalisation costs ${cost} on top`;
    const share = normalisation / saved;
    if (share > 1) return `L2 normalisation alone costs ${figure(share)} times the saving (${cost})`;
    return `L2 normalisation alone eats ${percent(share)} of the saving (${cost})`;
  }

  function answer(opening, ff, bp, unit) {
    const { backward_pass_removed: removed = 0, ...others } = partsOf(ff, bp);
    const [spentFf, spentBp] = [ff, bp].map((costs) => sum(Object.values(costs).map(energyOf)));
    const saved = -removed;
    const added = sum(Object.values(others));
    const eaten = `${normalisationClause(others.normalisation_added ?? 0, saved, unit)}.`;
    const whole = quantity(spentBp, unit);
    if (saved <= 0) {
      return `${opening}, backprop (${whole}) spends nothing on the backward phase that Forward-Forward (${quantity(spentFf, unit)}) would save. ${eaten}`;
    }
    const saving = `${opening}, removing the backward pass saves ${quantity(saved, unit)} (${percent(saved / spentBp)} of backprop's ${whole}).`;
    if (added < 0) {
      return `${saving} Forward-Forward's other phases save another ${quantity(-added, unit)}, so all of the saving is real. ${eaten}`;
    }
    const back = `${saving} Forward-Forward adds back ${quantity(added, unit)}, so`;
    const kept = spentBp - spentFf;
    if (kept > 0) return `${back} ${percent(kept / saved)} of the saving is real. ${eaten}`;
    if (kept === 0) return `${back} none of the saving is real and the two cost the same. ${eaten}`;
    return `${back} none of the saving is real: it costs ${figure(spentFf / spentBp)} times what backprop costs. ${eaten}`;
  }

  // ---- what is shown ---------------------------------------------------------------------------

  function barRow([, name, colour], total, largest, shown) {
    const off = total.levels.at(-1);
    const on = sum(total.levels.slice(0, -1));
    const segments = [["off", "off chip", off], ["on", "on chip", on], ["compute", "compute", total.compute]];
    const told = segments.map(([, what, value]) => `${what} ${shown.show(value)} ${shown.unit}`).join(", ");
    const bar = element("div", { class: "bar", role: "img", "aria-label": `${name}: ${told}` });
    for (const [kind, , value] of segments) {
      bar.append(element("i", { class: kind, style: `width:${(100 * value) / largest}%;--colour:${colour}` }));
    }
    return element("div", { class: "bar-row" },
      element("span", { class: "bar-name" }, name), bar,
      element("span", { class: "bar-total" }, `${shown.show(total.all)} ${shown.unit}`));
  }

  function numbers(rows, profile, label, shown) {
    const number = (value) => element("td", { class: "number", "data-value": value }, shown.show(value));
    const headings = [shown.unit, "compute", ...profile.levels.map((level) => level.name), "all"];
    const head = headings.map((text, k) =>
      k ? element("th", { scope: "col", class: "number" }, text) : element("td", {}, text));
    const body = rows.map(([[key, name], total]) =>
      element("tr", { "data-algorithm": key }, element("th", { scope: "row" }, name),
        number(total.compute), ...total.levels.map(number), number(total.all)));
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
  }

  function note(profile, size) {
    const exact = "Exact: the bins of reuse.csv have an edge at every power of two.";
    if (profile.uneven) {
      return `${exact} But this profile's ${profile.uneven} are no powers of two; here each counts as the power of two below it, so its figures differ from those that the command line gives for it.`;
    }
    if (size === profile.own) return `${exact} These are the profile's own sizes.`;
    return `${exact} A byte costs what it costs at the profile's levels, whatever their size here; a larger memory would really ask for more, a smaller one for less.`;
  }

  const WELL_BUILT = "well built";
  const LEAST = "the least";
  const closed = data.closed;
  const names = { eager: "as it runs", fused: "fused" };
  const state = {
    profile: data.profiles[0],
    size: data.profiles[0].own,
    scope: data.scopes.at(-1)[0],
    reading: data.accountings[0],
    batch: closed ? closed.own : 0,
  };

  /** Compute, on chip, off chip of a batch of one rule, by the closed forms, at the nearest size. */
  function best(rule) {
    const { profile, size, reading, batch } = state;
    const place = Math.round(Math.log2(size / closed.sizes[0]));
    const at = Math.min(Math.max(place, 0), closed.sizes.length - 1);
    const parts = closed.energies[profile.name][rule][closed.batches.indexOf(batch)][at];
    const [compute, on, built, least] = parts;
    const off = reading === LEAST ? least : built;
    return { size: closed.sizes[at], compute, levels: [on, off], all: compute + on + off, built, least };
  }

  const CHIP = { levels: [{ name: "on the chip" }, { name: "off the chip" }] };

  function showClosed() {
    const { profile, reading, batch } = state;
    const found = data.pair.map(best);
    const [ours, theirs] = found;
    const full = (one) => one.compute + one.levels[0] + one.built;
    const largest = Math.max(...found.map(full));
    const scale = scaleFor(largest, profile.unit);
    const rows = data.pair.map((rule, k) => [data.algorithms.find(([key]) => key === rule), found[k]]);
    byId("whatif-results").replaceChildren(...rows.map(([algorithm, total]) => barRow(algorithm, total, largest, scale)));
    byId("whatif-numbers").replaceChildren(numbers(rows, CHIP, `Energy of a batch, ${reading}`, scale));
    byId("whatif-size-text").textContent = memorySize(ours.size);
    byId("whatif-note").textContent = "Closed forms of docs/bounds.md; no program was measured for them.";
    const where = `Per batch of ${batch}, under ${profile.name} with ${memorySize(ours.size)} on the chip`;
    const figures = `${quantity(ours.all, profile.unit)} against ${quantity(theirs.all, profile.unit)}`;
    const bound = (one) => one.compute + one.levels[0] + one.least;
    const proven = full(ours) < bound(theirs) || full(theirs) < bound(ours);
    byId("whatif-sentence").textContent = reading === LEAST
      ? `${where}, no program of the bounds' class spends less than ${figures} (Forward-Forward, backprop).`
      : `${where}, each in its best order, Forward-Forward costs ${figure(ours.all / theirs.all)} times what backprop costs (${figures})${proven ? "; proven" : ""}.`;
  }

  /** Costs and sums of every algorithm under one reading. */
  function under(accounting) {
    const { profile, size, scope } = state;
    const costs = Object.fromEntries(data.algorithms.map(([key]) =>
      [key, costsOf(profile, size, scope, key, accounting)]));
    const shown = data.algorithms.filter(([key]) => Object.keys(costs[key]).length);
    return { costs, rows: shown.map((algorithm) => [algorithm, totals(costs[algorithm[0]], profile)]) };
  }

  function show() {
    const { profile, size, scope, reading } = state;
    const isClosed = !data.accountings.includes(reading);
    byId("whatif-batches").hidden = !isClosed;
    byId("whatif-scopes").parentElement.hidden = isClosed;
    byId("whatif-size").value = Math.log2(size);
    byId("whatif-size").setAttribute("aria-valuetext", memorySize(size));
    if (isClosed) return showClosed();
    byId("whatif-size-text").textContent = memorySize(size);
    byId("whatif-note").textContent = note(profile, size);
    const readings = Object.fromEntries(data.accountings.map((one) => [one, under(one)]));
    const every = Object.values(readings).flatMap(({ rows }) => rows.map(([, total]) => total.all));
    const largest = Math.max(...every); // of both readings, so that bars of one and the other compare
    const scale = scaleFor(largest, profile.unit);
    const { costs, rows } = readings[reading];
    byId("whatif-results").replaceChildren(...rows.map(([algorithm, total]) => barRow(algorithm, total, largest, scale)));
    byId("whatif-numbers").replaceChildren(numbers(rows, profile, `Energy, ${reading}`, scale));
    const [ff, bp] = data.pair.map((rule) => costs[rule] ?? {});
    const both = Object.keys(ff).length && Object.keys(bp).length;
    const published = size === profile.own && !profile.uneven;
    const where = published ? "" : ` with ${memorySize(size)} on the chip`;
    const opening = data.scopes.find(([key]) => key === scope)[1];
    byId("whatif-sentence").textContent = both
      ? answer(`${opening}, ${reading}, in ${data.memory}, under ${profile.name}${where}`, ff, bp, profile.unit) : "";
  }

  // ---- controls --------------------------------------------------------------------------------

  const profileChoice = byId("whatif-profile");
  for (const profile of data.profiles) {
    profileChoice.append(element("option", { value: profile.name }, profile.title));
  }
  profileChoice.addEventListener("change", () => {
    state.profile = data.profiles.find((profile) => profile.name === profileChoice.value);
    state.size = state.profile.own;
    show();
  });

  const slider = byId("whatif-size");
  slider.min = Math.log2(data.smallest);
  slider.max = Math.log2(data.largest);
  slider.addEventListener("input", () => {
    state.size = 2 ** Number(slider.value);
    show();
  });
  byId("whatif-own").addEventListener("click", () => {
    state.size = state.profile.own;
    show();
  });

  /** Radio buttons for one field of the state, each with its text. */
  function choices(group, field, options) {
    for (const [value, text] of options) {
      const choice = element("input", { type: "radio", name: `whatif-${field}`, value });
      choice.checked = value === state[field];
      choice.addEventListener("change", () => {
        state[field] = value;
        show();
      });
      byId(group).append(element("label", {}, choice, text));
    }
  }
  choices("whatif-scopes", "scope", data.scopes.map(([scope, text]) => [scope, text.toLowerCase()]));
  choices("whatif-readings", "reading", [
    ...data.accountings.map((one) => [one, names[one] ?? one]),
    ...(closed ? [WELL_BUILT, LEAST].map((one) => [one, one]) : []),
  ]);
  const batchChoice = byId("whatif-batch");
  for (const batch of closed ? closed.batches : []) {
    batchChoice.append(element("option", { value: batch }, batch === closed.own ? `${batch} (this run)` : `${batch}`));
  }
  batchChoice.value = state.batch;
  batchChoice.addEventListener("change", () => {
    state.batch = Number(batchChoice.value);
    show();
  });

  document.querySelector("#whatif .controls").hidden = false;
  show();
})();
