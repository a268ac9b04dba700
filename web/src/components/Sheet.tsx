import { ActionIcon, FocusTrap } from '@mantine/core';
import { useHotkeys, useMediaQuery } from '@mantine/hooks';
import { IconX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useT } from '@/i18n/i18n';

/** Details beside their list, which keeps its place; Escape closes. */
export function Sheet({ title, label, onClose, foot, children }: { title: ReactNode; label: string; onClose: () => void; foot?: ReactNode; children: ReactNode }) {
    const t = useT();
    const isPhone = useMediaQuery('(max-width: 768px)');
    useHotkeys([['Escape', onClose]], ['INPUT', 'TEXTAREA']);
    return (
        <FocusTrap active={isPhone}>
            <div className="sheet" role="dialog" aria-modal={isPhone} aria-label={label}>
                <div className="sheet-head">
                    <h2 className="cut">{title}</h2>
                    <ActionIcon variant="subtle" color="gray" onClick={onClose} aria-label={t('close')} data-autofocus><IconX size={18} /></ActionIcon>
                </div>
                <div className="sheet-body" tabIndex={0} role="region" aria-label={label}>{children}</div>
                {foot !== undefined && <div className="sheet-foot">{foot}</div>}
            </div>
        </FocusTrap>
    );
}
