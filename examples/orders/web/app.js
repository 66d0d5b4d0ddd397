// Starts the page: its routes, its navigation, its theme, and the state of its live connection.

import { start } from "./lib/router.js";
import { customersPage } from "./pages/customers.js";
import { demoPage } from "./pages/demo.js";
import { homePage } from "./pages/home.js";
import { inventoryPage } from "./pages/inventory.js";
import { newOrderPage } from "./pages/new_order.js";
import { orderPage } from "./pages/order.js";
import { ordersPage } from "./pages/orders.js";
import { readModelsPage } from "./pages/read_models.js";

const CONNECTION = { connecting: "Connecting", live: "Live", offline: "Offline, trying again" };

start({
  main: document.getElementById("main"),
  routes: [
    ["/", homePage],
    ["/orders", ordersPage],
    ["/orders/:id", orderPage],
    ["/new", newOrderPage],
    ["/inventory", inventoryPage],
    ["/customers", customersPage],
    ["/read-models", readModelsPage],
    ["/demo", demoPage],
  ],
  onOpen: markCurrent,
  onState: showConnection,
});
document.getElementById("theme").onclick = switchTheme;
nameTheme();

function markCurrent(path) {
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${path}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function showConnection(state) {
  const place = document.getElementById("connection");
  place.dataset.state = state;
  if (place.textContent !== CONNECTION[state]) place.textContent = CONNECTION[state];
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  nameTheme();
}

function nameTheme() {
  document.getElementById("theme").textContent = isDark() ? "Light theme" : "Dark theme";
}
