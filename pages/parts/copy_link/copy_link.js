// "Copy link": puts a button into `place` that copies what `address` returns. Browsers give the
// clipboard only to https and localhost. Over plain http the older command is tried; where that
// fails too, the link stays there in a field, selected. Returns a function that takes the words
// about the last copy away.
function copyLink(place, address) {
  place.innerHTML =
    '<button type="button">Copy link</button><p role="status"></p>' +
    '<input type="text" readonly hidden aria-label="Link to this page" />';
  const [button, said, field] = place.children;
  button.addEventListener("click", async () => {
    field.value = address();
    const copied = (await toClipboard(field.value)) || copySelected(field);
    if (copied && !field.hidden) {
      field.hidden = true;
      button.focus();
    }
    said.textContent = copied
      ? "Copied."
      : "This browser doesn't let the page copy. The link is selected: copy it by hand.";
  });
  return () => {
    field.hidden = true;
    said.textContent = "";
  };
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text); // there is no clipboard over plain http
    return true;
  } catch {
    return false;
  }
}

function copySelected(field) {
  field.hidden = false;
  field.focus();
  field.select();
  return document.execCommand("copy");
}
