// Carries what the explorer asks about proofs to the server, and the answers back to the explorer.

export default ({ data, setTriggerValue }) => {
  const proofs = (window.smallChangeProofs ??= { known: new Map() });
  proofs.ask = (more) => setTriggerValue("asked", { more });
  for (const proof of data.proofs) proofs.known.set(proof.key, proof);
  if (data.proofs.length) window.dispatchEvent(new CustomEvent("small-change-proofs"));
};
