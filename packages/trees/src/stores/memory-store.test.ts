import { blobStoreConformance } from './blob-store.conformance.ts';
import { MemoryStore } from './memory-store.ts';

blobStoreConformance('MemoryStore', async () => new MemoryStore());
