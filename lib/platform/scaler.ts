// The seam for how many of a service run: a Deployment in a cluster. One machine has none.

export interface Scale {
  /** Asked for. */
  replicas: number;
  /** Of them, ready to work. */
  ready: number;
}

export interface Scaler {
  get(): Promise<Scale>;
  scale(replicas: number): Promise<void>;
}
