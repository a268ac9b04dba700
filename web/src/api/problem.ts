import type { components } from '@generated/schema';

export type ProblemDocument = components['schemas']['Problem'];

/** What the API refused, or that nobody answered: then `problem` is null. */
export class ApiError extends Error {
    readonly status: number;
    readonly problem: ProblemDocument | null;
    readonly requestId: string | null;

    constructor(status: number, problem: ProblemDocument | null, requestId: string | null) {
        super(problem?.title ?? `HTTP ${status}`);
        this.name = 'ApiError';
        this.status = status;
        this.problem = problem;
        this.requestId = requestId;
    }
}

export function isProblem(value: unknown): value is ProblemDocument {
    return typeof value === 'object' && value !== null && 'code' in value && 'title' in value;
}

/** Faults by the field of the body that they are about, such as "/url". */
export function faultsByField(error: unknown): Record<string, string> {
    const faults: Record<string, string> = {};
    if (error instanceof ApiError)
        for (const fault of error.problem?.errors ?? [])
            if (fault.pointer !== undefined)
                faults[fault.pointer] ??= fault.detail;
    return faults;
}
