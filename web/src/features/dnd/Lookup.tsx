import { Button, Select, TextInput } from '@mantine/core';
import { IconCircleCheck, IconCircleX, IconClockHour4, IconHelpCircle, type Icon } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import type { DndAnswer } from '@/api/types';
import { Facts, Problem, When } from '@/components/basics';
import { useT } from '@/i18n/i18n';

const marks: Record<DndAnswer['verdict'], Icon> = { clear: IconCircleCheck, blocked: IconCircleX, 'not-now': IconClockHour4, unknown: IconHelpCircle, 'not-applicable': IconHelpCircle };
const categories = ['0', '1', '2', '3', '4', '5', '6', '7', '8'] as const;

/** What one person wants, and whether a promotional SMS could come now. */
export function Lookup() {
    const t = useT();
    const [recipient, setRecipient] = useState('');
    const [category, setCategory] = useState<string>('0');
    const look = useMutation({ mutationFn: () => unwrap(api.POST('/v1/dnd/lookup', { body: { recipient: recipient.replaceAll(/[\s-]/g, ''), category: Number(category), mode: 'sms' } })) });
    return (
        <form className="stack" onSubmit={(event) => { event.preventDefault(); look.mutate(); }}>
            <div className="line" style={{ alignItems: 'flex-end' }}>
                <TextInput label={t('dnd.number')} placeholder="+919876543210" type="tel" autoComplete="off" style={{ flex: '1 1 180px' }} value={recipient} onChange={(event) => { setRecipient(event.currentTarget.value); look.reset(); }} />
                <Select label={t('dnd.category')} style={{ flex: '1 1 200px' }} allowDeselect={false} value={category} data={categories.map((value) => ({ value, label: t(`dnd.category.${value}`) }))} onChange={(value) => { setCategory(value ?? '0'); look.reset(); }} />
                <Button type="submit" variant="default" disabled={recipient.trim() === ''} loading={look.isPending}>{t('dnd.look')}</Button>
            </div>
            <p className="quiet" style={{ margin: 0, fontSize: 13 }}>{t('dnd.audited')}</p>
            {look.isError && <Problem error={look.error} />}
            {look.data !== undefined && <Answer answer={look.data} />}
        </form>
    );
}

function Answer({ answer }: { answer: DndAnswer }) {
    const t = useT();
    const Mark = marks[answer.verdict];
    const blocked = answer.blocked;
    const rows: [string, string][] = blocked === null ? [] : [
        [t('dnd.blocked.categories'), blocked.categories.map((category) => (category === 0 ? t('dnd.all') : t(`dnd.category.${categories[category] ?? '0'}`))).join(', ')],
        [t('dnd.blocked.modes'), blocked.modes.map((mode) => t(`dnd.mode.${mode}`)).join(', ')],
        [t('dnd.blocked.hours'), blocked.hours.map((band) => `${band.from}–${band.until}`).join(', ')],
        [t('dnd.blocked.days'), blocked.days.map((day) => (day === 'holiday' ? t('dnd.holiday') : t(`weekday.${day}`))).join(', ')],
    ];
    return (
        <div className="note stack" role="status" style={{ gap: 8 }}>
            <div className="line"><Mark size={18} aria-hidden /><strong>{t(`dnd.verdict.${answer.verdict}`)}</strong>{answer.until !== null && <span>{t('dnd.until')} <When at={answer.until} /></span>}</div>
            {blocked !== null && <Facts rows={rows.filter(([, value]) => value !== '')} />}
            {blocked === null && answer.verdict === 'clear' && <span className="quiet">{t('dnd.unlisted')}</span>}
        </div>
    );
}
