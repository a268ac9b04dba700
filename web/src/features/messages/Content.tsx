import type { Message } from '@/api/types';
import { useT } from '@/i18n/i18n';
import { bodyOf } from './body';

/** What was said, as far as it is text; the rest is told by its kind. Shown only to whom the API gave it. */
export function Content({ message }: { message: Message }) {
    const t = useT();
    if (message.content === undefined)
        return null;
    const text = bodyOf(message.content);
    return (
        <div style={{ background: 'var(--hk-chosen)', borderRadius: 8, padding: '12px 14px' }}>
            <div className="quiet" style={{ fontSize: 12, marginBottom: 4 }}>{t('message.content', { type: message.type })}</div>
            <div style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{text ?? <span className="quiet">{t('message.content.none')}</span>}</div>
        </div>
    );
}
