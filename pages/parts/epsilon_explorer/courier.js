// Carries what the explorer asks about proofs to the server, and the answers back to the explorer.

export default ({ data, setTriggerValue }) => {
  const proofs = (window.smallChangeProofs ??= { known: new Map() });
  const ask = (more) => setTriggerValue("asked", { more });
  proofs.ask = ask;
  const told = JSON.parse(new TextDecoder().decode(data)).proofs;
  for (const proof of told) proofs.known.set(proof.key, proof);
  if (told.length) window.dispatchEvent(new CustomEvent("small-change-proofs"));
  return () => {
    if (proofs.ask === ask) delete proofs.ask; // the page has been left
  };
};
