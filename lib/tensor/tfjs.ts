// The JavaScript half of TensorFlow.js: one copy of tfjs-core with its gradients and chained methods, and tfjs-node's
// backend and kernels. Import tfjs from here, so that everybody holds the same copy.
import './node-util.ts';
import '@tensorflow/tfjs';

export * as tf from '@tensorflow/tfjs-core';
