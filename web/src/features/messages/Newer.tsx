import { UnstyledButton } from '@mantine/core';
import { IconArrowUp } from '@tabler/icons-react';
import { useT } from '@/i18n/i18n';

/** A list does not jump under the reader: what came since is told, and shown when asked for. */
export function NewerPill({ count, isMore, onShow }: { count: number; isMore: boolean; onShow: () => void }) {
    const t = useT();
    return (
        <div className="pill" aria-live="polite">
            {count > 0 && <UnstyledButton onClick={() => { onShow(); scrollTo({ top: 0 }); }}><IconArrowUp size={14} aria-hidden />{t('live.new', { count: isMore ? `${count}+` : String(count) })}</UnstyledButton>}
        </div>
    );
}
