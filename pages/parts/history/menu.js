// In a narrow window the menu of pages lies over the page. Streamlit leaves it open when a page has
// been chosen. In a wide window the menu is a bar, and its links have another name.

const CHOICE = "[data-testid=stSidebarNavLink]";
const CLOSE = "[data-testid=stSidebarCollapseButton] button";

function closeMenu() {
  addEventListener("click", (event) => {
    if (event.target.closest?.(CHOICE)) document.querySelector(CLOSE)?.click();
  });
}
