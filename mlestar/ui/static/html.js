// Parses HTML that the server has rendered; nothing else may become elements of a page.

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("mlestar", { createHTML: (text) => text })
  : { createHTML: (text) => text };

export function parse(html) {
  return new DOMParser().parseFromString(policy.createHTML(html), "text/html").body;
}
