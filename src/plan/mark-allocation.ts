import type { IpAddress } from '../base/index.ts';
import type { MarkAllocation } from './types.ts';

/**
 * Firewall marks of our own: the upper half spells "LV", so that a person who meets one in `iptables-save` knows whose
 * it is and no other program's small numbers collide with it.
 */
const markBase = 0x4c560000;
const maxMarks = 0xffff;

/** Hands out marks: who has one keeps it, others get the lowest free number. */
export class MarkAllocator {
  readonly marks: Record<string, MarkAllocation>;
  readonly #used: Set<number>;
  #lowest = 1;

  constructor(before: Readonly<Record<string, MarkAllocation>>) {
    // Marks of objects that are gone stay reserved: their services may still drain.
    this.marks = { ...before };
    this.#used = new Set(Object.values(before).map(({ mark }) => mark));
  }

  /**
   * @param owner `namespace/name` of the VirtualService.
   * @returns undefined when all 65,535 marks are in use.
   */
  allocate(owner: string, vip: IpAddress, claims: MarkAllocation['claims']): number | undefined {
    return this.#take(`${owner} ${vip}`, vip, claims);
  }

  /** For packets of our own, of which the ports of a VIP know nothing. @param name no `owner vip` */
  allocateNamed(name: string, vip: IpAddress): number | undefined {
    return this.#take(name, vip, []);
  }

  #take(key: string, vip: IpAddress, claims: MarkAllocation['claims']): number | undefined {
    const mark = this.marks[key]?.mark ?? this.#lowestFree();
    if (mark !== undefined) this.marks[key] = { mark, vip, claims };
    return mark;
  }

  #lowestFree(): number | undefined {
    while (this.#used.has(markBase + this.#lowest)) this.#lowest++;
    if (this.#lowest > maxMarks) return undefined;
    const mark = markBase + this.#lowest;
    this.#used.add(mark);
    return mark;
  }
}
