
// The button alone, as a component of its own.
export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".copy-link");
  if (!place.forget) place.forget = copyLink(place, () => place.link);
  place.link = data.link;
}
