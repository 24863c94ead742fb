export { assertNever } from './exhaustive.ts';
export { isName, isUuid, isUuidPrefix, uuidFromBytes, type Uuid } from './ids.ts';
export {
  activeStates,
  bundleStates,
  bundleTypes,
  finalStates,
  isActive,
  isFinal,
  type BundleState,
  type BundleType,
  type FinalState,
} from './bundle/states.ts';
