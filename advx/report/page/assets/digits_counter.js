// In a worker, after the engine: how many test digits each network gets wrong under an attack.
"use strict";
let networks = {}, images = [], labels = [], job = 0;

const pause = () => new Promise((done) => { setTimeout(done); });

onmessage = async ({ data }) => {
  if (data.networks) {
    for (const [kind, network] of Object.entries(data.networks)) networks[kind] = new Network(network, data.weights[kind]);
    ({ images, labels } = data);
    return;
  }
  const mine = ++job; // a later one takes its place
  const errors = Object.fromEntries(Object.keys(networks).map((kind) => [kind, 0]));
  let said = performance.now();
  for (let at = 0; at < images.length; at++) {
    const perturbed = attack(networks[data.attacked], images[at], labels[at], data);
    for (const [kind, network] of Object.entries(networks)) {
      if (largestOf(network.logits(perturbed)) !== labels[at]) errors[kind]++;
    }
    if (performance.now() - said > 80) {
      postMessage({ id: data.id, errors, count: at + 1 });
      await pause();
      if (mine !== job) return;
      said = performance.now();
    }
  }
  postMessage({ id: data.id, errors, count: images.length });
};
