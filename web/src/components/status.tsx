import {
    IconAlertTriangle, IconArchive, IconBan, IconCheck, IconChecks, IconCircleCheck, IconCircleX, IconClock, IconClockPause, IconHelpCircle,
    IconHourglassEmpty, IconInbox, IconLoader, IconPlayerPause, IconPlugConnected, IconSend, IconTrash, type Icon,
} from '@tabler/icons-react';
import { useT, type Word } from '@/i18n/i18n';

type Colour = 'slate' | 'amber' | 'blue' | 'indigo' | 'green' | 'teal' | 'violet' | 'red' | 'orange' | 'grey';
interface Look { colour: Colour; icon: Icon; word: Word }

/** Every state that is shown anywhere: the same icon, word and colour. */
const looks = {
    accepted: { colour: 'slate', icon: IconInbox, word: 'status.accepted' },
    queued: { colour: 'slate', icon: IconHourglassEmpty, word: 'status.queued' },
    held: { colour: 'amber', icon: IconClockPause, word: 'status.held' },
    sending: { colour: 'blue', icon: IconLoader, word: 'status.sending' },
    sent: { colour: 'indigo', icon: IconCheck, word: 'status.sent' },
    delivered: { colour: 'green', icon: IconChecks, word: 'status.delivered' },
    read: { colour: 'teal', icon: IconCircleCheck, word: 'status.read' },
    received: { colour: 'green', icon: IconInbox, word: 'status.received' },
    done: { colour: 'green', icon: IconCircleCheck, word: 'status.done' },
    blocked: { colour: 'violet', icon: IconBan, word: 'status.blocked' },
    failed: { colour: 'red', icon: IconCircleX, word: 'status.failed' },
    uncertain: { colour: 'orange', icon: IconHelpCircle, word: 'status.uncertain' },
    expired: { colour: 'grey', icon: IconClock, word: 'status.expired' },
    canceled: { colour: 'grey', icon: IconBan, word: 'status.canceled' },
    active: { colour: 'green', icon: IconPlugConnected, word: 'status.active' },
    working: { colour: 'green', icon: IconCircleCheck, word: 'status.working' },
    connecting: { colour: 'blue', icon: IconLoader, word: 'status.connecting' },
    bound: { colour: 'green', icon: IconPlugConnected, word: 'status.bound' },
    partly: { colour: 'amber', icon: IconPlugConnected, word: 'status.partly' },
    waiting: { colour: 'orange', icon: IconClock, word: 'status.waiting' },
    stale: { colour: 'grey', icon: IconHelpCircle, word: 'status.stale' },
    unbound: { colour: 'grey', icon: IconPlayerPause, word: 'status.unbound' },
    paused: { colour: 'amber', icon: IconPlayerPause, word: 'status.paused' },
    broken: { colour: 'red', icon: IconAlertTriangle, word: 'status.broken' },
    deleted: { colour: 'grey', icon: IconTrash, word: 'status.deleted' },
    enabled: { colour: 'green', icon: IconCircleCheck, word: 'status.enabled' },
    disabled: { colour: 'red', icon: IconBan, word: 'status.disabled' },
    failing: { colour: 'orange', icon: IconAlertTriangle, word: 'status.failing' },
    pending: { colour: 'amber', icon: IconClock, word: 'status.pending' },
    approved: { colour: 'green', icon: IconCircleCheck, word: 'status.approved' },
    rejected: { colour: 'red', icon: IconCircleX, word: 'status.rejected' },
    submitting: { colour: 'blue', icon: IconSend, word: 'status.submitting' },
    refused: { colour: 'red', icon: IconBan, word: 'status.refused' },
    in_appeal: { colour: 'amber', icon: IconClock, word: 'status.in_appeal' },
    limit_exceeded: { colour: 'orange', icon: IconAlertTriangle, word: 'status.limit_exceeded' },
    archived: { colour: 'grey', icon: IconArchive, word: 'status.archived' },
    pending_deletion: { colour: 'grey', icon: IconTrash, word: 'status.pending_deletion' },
    revoked: { colour: 'grey', icon: IconBan, word: 'status.revoked' },
    suspended: { colour: 'amber', icon: IconPlayerPause, word: 'status.suspended' },
    left: { colour: 'grey', icon: IconCircleX, word: 'status.left' },
    joined: { colour: 'green', icon: IconCircleCheck, word: 'status.joined' },
    open: { colour: 'amber', icon: IconClock, word: 'status.open' },
    overdue: { colour: 'red', icon: IconAlertTriangle, word: 'status.overdue' },
    confirmed: { colour: 'green', icon: IconCircleCheck, word: 'status.confirmed' },
    closed: { colour: 'green', icon: IconCircleCheck, word: 'status.closed' },
    granted: { colour: 'green', icon: IconCircleCheck, word: 'status.granted' },
    withdrawn: { colour: 'violet', icon: IconBan, word: 'status.withdrawn' },
    unknown: { colour: 'slate', icon: IconHelpCircle, word: 'status.unknown' },
    succeeded: { colour: 'green', icon: IconCircleCheck, word: 'status.succeeded' },
} as const satisfies Record<string, Look>;

export type Shown = keyof typeof looks;

export function isShown(state: string): state is Shown {
    return state in looks;
}

export function StatusBadge({ state, size = 16 }: { state: string; size?: number }) {
    const t = useT();
    if (!isShown(state))
        return <span className="badge">{state}</span>;
    const { icon: Mark, colour, word } = looks[state];
    return <span className="badge" style={{ ['--st' as string]: `var(--st-${colour})` }}><Mark size={size} stroke={1.8} aria-hidden />{t(word)}</span>;
}

export function StatusIcon({ state }: { state: string }) {
    const { icon: Mark, colour } = isShown(state) ? looks[state] : looks.accepted;
    return <Mark size={16} stroke={1.8} aria-hidden style={{ color: `var(--st-${colour})` }} />;
}
