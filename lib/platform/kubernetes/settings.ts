// How jobs become Kubernetes Jobs. The files come from the chart.
import { setting, values } from '../config.ts';

export const kubernetesSettings = {
  /** A batch/v1 Job (JSON or YAML): image, security, environment, volumes. The runner fills in name, program, profile and labels. */
  jobTemplateFile: setting('STRATA_JOB_TEMPLATE_FILE', values.text, '/etc/strata/jobs/template.yaml'),
  /** Resource profiles by name: resources, node selector, tolerations. */
  jobProfilesFile: setting('STRATA_JOB_PROFILES_FILE', values.text, '/etc/strata/jobs/profiles.yaml'),
  /** The profile of a job that names none. */
  jobDefaultProfile: setting('STRATA_JOB_DEFAULT_PROFILE', values.text, 'cpu'),
  /** A Kueue LocalQueue: jobs start suspended and Kueue admits them. Empty: no queue. */
  kueueQueue: setting('STRATA_KUEUE_QUEUE', values.text, ''),
  /** Where jobs run; empty: the namespace of this pod. */
  namespace: setting('STRATA_NAMESPACE', values.text, ''),
};
