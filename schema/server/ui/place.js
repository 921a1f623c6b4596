// Where this page stands: at the hub, or at the cloud, which has one for each house (`/v/<slug>`).

const [house] = (globalThis.location?.pathname ?? "/").match(/^\/v\/[^/]+/) ?? [""];

export const base = house;
export const atCloud = house !== "";
