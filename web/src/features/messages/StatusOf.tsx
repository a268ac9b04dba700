import type { Message } from '@/api/types';
import { StatusBadge } from '@/components/status';
import { useLanguage } from '@/i18n/i18n';
import { RuleName } from './RuleName';
import { decidedBy } from './state';

/** In a list: where it stands, the rule that blocked it, or until when it is held. */
export function StatusOf({ message }: { message: Message }) {
    const { t, intl } = useLanguage();
    const rule = message.status === 'blocked' ? decidedBy(message, 'block')?.rule : undefined;
    const until = message.status === 'held' ? message.send_at : undefined;
    return (
        <span className="line" style={{ flexWrap: 'nowrap', gap: 6 }}>
            <StatusBadge state={message.status} />
            {rule != null && <span className="quiet cut" style={{ fontSize: 12.5 }}><RuleName rule={rule} /></span>}
            {until != null && <span className="quiet number cut" style={{ fontSize: 12.5 }}>{t('messages.until', { when: intl.formatDate(until, { day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' }) })}</span>}
        </span>
    );
}
