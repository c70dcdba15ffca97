// The session: begun with a token, which goes into a cookie that no script can read.

import { post } from "./api.js";

/** Give the token that the address holds, if it does; it leaves the address at once. */
export function tokenInAddress() {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (token) history.replaceState(null, "", location.pathname); // an address is shown, kept and sent
  return token;
}

export const openSession = (token) =>
  post("/v1/session", {}, { headers: { Authorization: `Bearer ${token}` } });
