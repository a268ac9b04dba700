import { IconBan, IconCircleCheck, IconClockPause } from '@tabler/icons-react';
import type { Message } from '@/api/types';
import { Facts, When } from '@/components/basics';
import { useLanguage, useT } from '@/i18n/i18n';
import { factsOf, whyReceipt, type Shown } from './receipt';
import { RuleName } from './RuleName';
import { decidedBy, type Receipt } from './state';

const looks = {
    allow: [IconCircleCheck, 'var(--st-green)'], hold: [IconClockPause, 'var(--st-amber)'], block: [IconBan, 'var(--st-violet)'],
} as const;

function Value({ value }: { value: Shown['value'] }) {
    const { t, intl } = useLanguage();
    if ('at' in value)
        return <span className="number">{intl.formatDate(value.at, { dateStyle: 'medium', timeStyle: 'short' })}</span>;
    return <>{'word' in value ? t(value.word) : 'text' in value ? value.text : <span className="number">{intl.formatNumber(value.count)}</span>}</>;
}

/** One decision: what, by which rule, when, and from which facts; those that the rule looked at are seen at once. */
function Decision({ receipt, title, isTold }: { receipt: Receipt; title: string; isTold: boolean }) {
    const { t, intl } = useLanguage();
    const [Mark, colour] = looks[receipt.decision];
    const why = receipt.decision === 'allow' ? null : whyReceipt(receipt);
    const shown = factsOf(receipt);
    const rows = (facts: Shown[]) => facts.map(({ name, value }): [string, React.ReactNode] => ['word' in name ? t(name.word) : name.text, <Value key="v" value={value} />]);
    const decisive = shown.filter((fact) => fact.isDecisive), others = shown.filter((fact) => !fact.isDecisive);
    const until = receipt.until === null ? null : intl.formatDate(receipt.until, { dateStyle: 'medium', timeStyle: 'short' });
    return (
        <section className="card card-pad stack" style={{ gap: 10 }} aria-label={title}>
            <div className="line" style={{ justifyContent: 'space-between' }}><h3 style={{ margin: 0 }}>{title}</h3><span className="quiet" style={{ fontSize: 13 }}><When at={receipt.at} /></span></div>
            <div className="line">
                <span className="badge" style={{ ['--st' as string]: colour }}><Mark size={16} stroke={1.8} aria-hidden />{t(`receipt.${receipt.decision}`)}</span>
                {until !== null && <span>{t('receipt.until', { when: until })}</span>}
                {receipt.rule !== null && <span className="tag" data-off="true"><RuleName rule={receipt.rule} /></span>}
            </div>
            {!isTold && <div>{receipt.decision === 'allow' ? t('receipt.allowed') : why === null ? <span lang="en">{receipt.title}</span> : t(why, { when: until ?? '' })}</div>}
            {decisive.length !== 0 && <Facts rows={rows(decisive)} />}
            {others.length !== 0 && <details className="more"><summary>{t(decisive.length === 0 ? 'receipt.facts' : 'receipt.facts.more')}</summary><div style={{ marginTop: 8 }}><Facts rows={rows(others)} /></div></details>}
        </section>
    );
}

/** What the gate decided when the message was accepted, and, if it stopped it then, before it left. */
export function Receipts({ message }: { message: Pick<Message, 'direction' | 'status' | 'policy'> }) {
    const t = useT();
    if (message.direction === 'inbound')
        return null;
    const { accepted, sent } = message.policy ?? {};
    const told = message.status === 'blocked' ? decidedBy(message, 'block') : message.status === 'held' ? decidedBy(message, 'hold') : null; /* the head-line has said it */
    return (
        <div className="stack" style={{ gap: 12, marginBottom: 24 }}>
            {sent != null && <Decision receipt={sent} title={t('receipt.sent')} isTold={told === sent} />}
            {accepted == null ? <p className="quiet" style={{ margin: 0 }}>{t('receipt.none')}</p> : <Decision receipt={accepted} title={t('receipt.accepted')} isTold={told === accepted} />}
        </div>
    );
}
