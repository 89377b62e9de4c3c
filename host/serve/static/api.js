// Requests to the API.

/** The JSON that the API answers with. Throws an Error with its one line of text. */
export async function get(path, parameters = {}, signal) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value != null && value !== ""));
  return send(query.size ? `${path}?${query}` : path, { signal });
}

/** Changes something, and returns the JSON of the answer. */
export async function change(method, path, values) {
  const headers = { "X-Inkling": "1" };
  if (values !== undefined) headers["Content-Type"] = "application/json";
  return send(path, { method, headers, body: values === undefined ? undefined : JSON.stringify(values) });
}

/** The path of a reading. */
export const readingPath = (id) => `/api/readings/${encodeURIComponent(id)}`;

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the host does not answer: check that it runs");
  }
  if (response.status === 401) {
    location.assign("/login");
    return new Promise(() => {}); // the page is about to go
  }
  if (response.status === 204) return null;
  const values = await response.json().catch(() => ({ error: `the host answered with status ${response.status}` }));
  if (!response.ok && !("status" in values))
    throw new Error(values.error ?? `the host answered with status ${response.status}`);
  return values;
}
