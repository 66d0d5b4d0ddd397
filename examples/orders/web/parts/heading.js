// The heading of a page. The focus moves to it when the page opens, and when what had it is gone.

import { h } from "../lib/dom.js";

export const heading = (...content) => h("h1", { tabindex: "-1" }, content);

export const focusHeading = () => document.querySelector("main h1").focus({ preventScroll: true });
