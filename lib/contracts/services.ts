// The services by name: the full name of what they serve (health checks ask for it) and the port they listen on unless told otherwise.
export interface ServiceEntry {
  readonly fullName: string;
  readonly port: number;
}

export const services = {
  tokenizer: { fullName: 'strata.tokenizer.v1.TokenizerService', port: 50051 },
  'data-sampler': { fullName: 'strata.data_sampler.v1.DataSamplerService', port: 50052 },
  trainer: { fullName: 'strata.trainer.v1.TrainerService', port: 50053 },
  evaluator: { fullName: 'strata.evaluator.v1.EvaluatorService', port: 50054 },
  'weight-loader': { fullName: 'strata.weight_loader.v1.WeightLoaderService', port: 50055 },
  inference: { fullName: 'strata.inference.v1.InferenceService', port: 50056 },
  orchestrator: { fullName: 'strata.orchestrator.v1.OrchestratorService', port: 50057 },
  // HTTP, not gRPC.
  gateway: { fullName: 'strata.gateway', port: 8080 },
} as const satisfies Record<string, ServiceEntry>;

export type ServiceName = keyof typeof services;
export const serviceNames = Object.keys(services) as ServiceName[];
