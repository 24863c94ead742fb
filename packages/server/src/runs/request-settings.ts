/** The operator's limits in the form the scheduling rules take, where 0 means none. */
import type { RequestSettings } from '@sheaf/domain';
import type { Settings } from '../settings/settings.ts';

export function requestSettings({ images, limits }: Pick<Settings, 'images' | 'limits'>): RequestSettings {
  return {
    defaultCpuImage: images.cpu,
    defaultGpuImage: images.gpu,
    maxTime: limits.requestTimeMax ?? 0,
    maxMemory: limits.requestMemoryMax ?? 0,
    minMemory: limits.requestMemoryMin,
    maxDisk: limits.requestDiskMax ?? 0,
  };
}
