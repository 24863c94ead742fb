export { assertNever } from './exhaustive.ts';
export { isName, isUuid, isUuidPrefix, uuidFromBytes, type Uuid } from './ids.ts';
export { nameProblem, namePatternText, type NamedKind } from './names.ts';
export { failure, success, type Outcome } from './outcome.ts';
export { formatTextMatch, likePattern, matchesText, parseTextMatch, type TextMatch } from './text-match.ts';

export { toFixedHalfEven } from './units/decimal.ts';
export { formatDate } from './units/date.ts';
export { formatDuration, parseDuration } from './units/duration.ts';
export { formatPercentage, formatRatio } from './units/ratio.ts';
export { formatSize, parseSize } from './units/size.ts';

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
export {
  isUploadedType,
  zeroOf,
  type Metadata,
  type MetadataFormat,
  type MetadataKey,
  type MetadataType,
  type MetadataValue,
} from './bundle/metadata-key.ts';
export { metadataFlag, metadataKey, metadataKeys, metadataTypeOf } from './bundle/metadata-table.ts';
export {
  asciiProblem,
  isAscii,
  metadataValueFromText,
  validateMetadata,
} from './bundle/validate-metadata.ts';
export {
  clientDefaults,
  completeMetadata,
  keysClearedOnRestage,
  metadataAfterRestage,
  metadataTexts,
  waitingForWorker,
  withoutIdentifyingKeys,
} from './bundle/metadata-defaults.ts';
export { displayMetadata, type DisplayMetadata } from './bundle/display-metadata.ts';
export {
  initialState,
  legalMoves,
  mayMove,
  statesBefore,
  type Move,
  type MoveCause,
} from './bundle/lifecycle.ts';
export { finalStateOf, killMarker } from './bundle/final-state.ts';
export { stateDetails, type KnownParent } from './bundle/state-details.ts';
export { recreatingArguments, type DependencyView } from './bundle/arguments.ts';
export {
  archiveExtensionOf,
  archiveExtensions,
  withoutArchiveExtension,
  type ArchiveExtension,
} from './bundle/archive-name.ts';
export { makeName, nameOfContents, runName, sanitizedName, uploadName } from './bundle/default-name.ts';

export {
  formatBundleSpec,
  parseBundleSpec,
  type BundleSpec,
  type LocalBundleSpec,
} from './spec/bundle-spec.ts';
export { rewriteCommand, type RewrittenCommand, type TypedDependency } from './spec/command-sugar.ts';
export { expandRange, expandRanges } from './spec/ranges.ts';
export { foldCommandWords, joinShellWords, quoteShellWord } from './spec/shell-words.ts';
export {
  formatTarget,
  parseKeyedTarget,
  parseTarget,
  splitKey,
  type KeyedTarget,
  type TargetSpec,
} from './spec/target-spec.ts';
export {
  formatWorksheetSpec,
  homeWorksheetName,
  parseWorksheetReference,
  parseWorksheetSpec,
  type WorksheetReference,
  type WorksheetSpec,
} from './spec/worksheet-spec.ts';

export {
  allPermission,
  effectivePermission,
  formatPermission,
  isPermission,
  noPermission,
  parsePermission,
  permissionRefusal,
  readPermission,
  type Grant,
  type Permission,
  type PermissionSpec,
  type Viewer,
} from './access/permission.ts';
export {
  admissionProblem,
  diskKillGraceSeconds,
  isAcademicEmail,
  parallelRunsLeft,
  quotaKill,
  quotaKillMessage,
  storageProblem,
  type Quota,
  type QuotaKind,
} from './access/quota.ts';

export { limitProblems } from './schedule/limits.ts';
export {
  askedOf,
  defaultRequestSettings,
  priorityOf,
  resolveRequest,
  withTag,
  type RequestSettings,
  type ResourceRequest,
} from './schedule/request.ts';
export {
  dependencyCacheKey,
  hintsPerWorker,
  type Hint,
  type PlanDependency,
  type PlanWorker,
} from './schedule/plan-types.ts';
export type { Line, PriorityLevel, QueuedRun, UserBacklog } from './schedule/backlog.ts';
export { Ordered } from './schedule/ordered.ts';
export { planBacklog, type Placement } from './schedule/plan-backlog.ts';
export type { Explanation } from './schedule/waiting.ts';
export { noWorkerText } from './schedule/reason.ts';
export { hasFailedEverywhere, waitsForQuota } from './schedule/reason-kind.ts';

export {
  actionKey,
  canonicalAction,
  imageDigest,
  inputContents,
  pendingContents,
  type Action,
  type ActionEnvironment,
  type ActionInput,
} from './action/action.ts';

export { joinPaths, pathComponents, startsWithComponents } from './dependencies/key-path.ts';
export { matchDependency, type DependencyMatch } from './dependencies/match.ts';
export { stagingDecision, type StagingDecision, type StagingParent } from './dependencies/staging.ts';
export { clashProblem, validateDependencies, type DependencyInput } from './dependencies/validate.ts';

export { parseSearch } from './search/parse.ts';
export { parseInstant } from './search/instant.ts';
export {
  defaultSearchLimit,
  type FieldOrder,
  type SearchColumn,
  type SearchCondition,
  type SearchField,
  type SearchQuery,
  type ValueMatch,
} from './search/query.ts';

export { excludeMatcher } from './run/exclude-patterns.ts';
export { matchGlob, parseGlob, type Glob } from './run/glob.ts';
export {
  failureAfterRetries,
  failureCauseNames,
  isPlatformFailure,
  judgeFailure,
  reportedCause,
  type FailureCause,
  type SpoiltAttempt,
} from './run/failure-cause.ts';
export {
  diskLimitMessage,
  exitCodeMessage,
  failureWithKill,
  failureWithUploadError,
  limitViolations,
  memoryLimitMessage,
  reportedFailure,
  timeLimitMessage,
  type RunLimits,
  type RunUsage,
} from './run/failure-message.ts';
export { judgeLoss, toleratedOmissions, type LossDecision } from './run/lost-run.ts';
export {
  judgeReport,
  type Holder,
  type ReportAnswer,
  type ReportDecision,
  type ReportedState,
  type ReportSituation,
} from './run/report-decision.ts';
export {
  appendSamples,
  bounded,
  coarser,
  finestResolution,
  type UsageSample,
  type UsageSeries,
} from './run/series.ts';
export { judgeStart, type StartDecision } from './run/start-decision.ts';
export {
  binarySummary,
  missingSummary,
  summarizeBytes,
  summarizeFile,
  summarizeText,
  type ByteReader,
  type SummaryOptions,
} from './run/summary.ts';

export { descend, fileValueLines, parseFileValue } from './genpaths/file-value.ts';
export { genpathColumnName, parseGenpath, type Genpath } from './genpaths/genpath.ts';
export { postProcess } from './genpaths/post-process.ts';
export { pythonText } from './genpaths/python-text.ts';
export {
  formatGroupPermissions,
  recordValue,
  summaryOf,
  type BundleRecord,
} from './genpaths/record-value.ts';
export { type GenpathValue } from './genpaths/value.ts';

export { formatTransferProgress, type TransferProgress } from './transfer/progress.ts';
