/**
 * A rule in the Common Expression Language, which a Kubernetes API server (1.32 or later) judges before it stores an
 * object. It is one entry of `x-kubernetes-validations` and its place in the schema.
 *
 * The API server refuses a whole definition when a rule could become too dear, and it knows the size of a value only
 * from the limits of a field: `string(number) + text` or a function of text from `split` count as endless. Messages with
 * values are therefore made by `format`, whose price is that of its pattern.
 */
export interface CelRule {
  /** The node that carries the rule and is `self` in it, below the object: `['spec', 'ports', '[]']` is every port. */
  readonly at: readonly string[];
  readonly rule: string;
  /** For people. With `messageExpression` it is what remains when that fails. */
  readonly message: string;
  /** CEL that gives the message. */
  readonly messageExpression?: string;
  /** The field below `at` that is to blame, such as `.endPort`. */
  readonly fieldPath?: string;
  /** How the API server classes the refusal; `FieldValueInvalid` if omitted. */
  readonly reason?: 'FieldValueRequired' | 'FieldValueForbidden';
}

/** What a validation looks like inside a schema. */
export type CelValidation = Omit<CelRule, 'at'>;

/**
 * CEL `isIP` refuses what `parseIpAddress` refuses: leading zeros, zones, IPv4-mapped addresses
 * (kubernetes: staging/src/k8s.io/apiserver/pkg/cel/library/ip.go, parseIPAddr).
 */
export const isIpAddressCel = 'isIP(self)';

/** `isCIDR` accepts bits below the prefix in the versions that we support, so they are compared with the mask. */
export const isCidrCel = 'isIP(self) || (isCIDR(self) && cidr(self) == cidr(self).masked())';

const first = "self.substring(0, self.indexOf('-')).trim()";
const last = "self.substring(self.indexOf('-') + 1).trim()";

/** CEL has no order of addresses: that a range does not end before it begins is beyond it. */
export const isIpRangeCel =
  `self.contains('-') ? (isIP(${first}) && isIP(${last}) && ip(${first}).family() == ip(${last}).family()) : ` +
  `(${isCidrCel})`;
