// What boxes of several kinds draw.

export function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children);
  return made;
}

export function tagged(text, words, entities, known) {
  const line = element("p", { className: "live-text", dir: "auto" });
  let at = 0;
  const upTo = (end, target) => {
    if (end > at) target.append(text.slice(at, end));
    at = end;
  };
  let inside;
  words.forEach((word, place) => {
    const entity = entities.find(one => one.first === place);
    if (entity) {
      upTo(word.start, line);
      inside = element("mark", { className: `live-entity live-${entity.type.toLowerCase()}` });
      line.append(inside);
    }
    const target = inside ?? line;
    upTo(word.start, target);
    if (known.has(word.text)) upTo(word.end, target);
    else {
      const strange = element("span", { className: "live-unknown", title: "never seen in training" });
      upTo(word.end, strange);
      target.append(strange);
    }
    const ends = inside && entities.find(one => one.last === place);
    if (ends) {
      inside.append(" ", element("span", { className: "live-type", textContent: ends.type }));
      inside = undefined;
    }
  });
  upTo(text.length, line);
  return line;
}

/** Say which words training never had; nothing if it had all. */
export function strangers(unknown) {
  if (!unknown.size) return [];
  const words = unknown.size === 1 ? "word was" : "words were";
  const named = [...unknown].join(" "); // dots are not read aloud
  return [element("p", { className: "live-note", textContent: `${unknown.size} ${words} never seen in training (dotted): ${named}` })];
}
