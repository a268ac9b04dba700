import { useT } from '@/i18n/i18n';
import { isRule, plain } from './rule';

/** A rule by its name in the language of the page. */
export function RuleName({ rule }: { rule: string }) {
    const t = useT();
    return <>{isRule(rule) ? t(`rule.${rule}`) : plain(rule)}</>;
}
