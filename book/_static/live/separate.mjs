// One model per task beside the one for all: loaded when the switch is touched, and not before.

import { loadModel } from "./model.mjs";

/**
 * Load the models of a box.
 * @param {URL} folder Of the model for all tasks.
 * @param {Object<string, string>} folders Of the others in it, by task.
 * @param {LiveModel} joint The model for all, whose pieces and words they share.
 * @param {(bytes: number) => void} tell Told of every piece that has come.
 */
export async function loadSeparate(folder, folders, joint, tell) {
  const models = [];
  // One after another: several sessions that are made at once take the memory of all.
  for (const place of Object.values(folders)) {
    models.push(await loadModel(new URL(`${place}/`, folder), tell, joint));
  }
  return new SeparateModels(models);
}

export class SeparateModels {
  constructor(models) {
    this.models = models;
    this.facts = { tasks: Object.assign({}, ...models.map(model => model.facts.tasks)) };
    this.known = models[0].known;
  }

  /** What they say, as one model does; the milliseconds are those of all. */
  async answer(text, second = "") {
    const said = [];
    for (const model of this.models) said.push(await model.answer(text, second));
    return {
      words: said[0].words,
      milliseconds: said.reduce((sum, one) => sum + one.milliseconds, 0),
      tasks: Object.assign({}, ...said.map(one => one.tasks)),
    };
  }
}
