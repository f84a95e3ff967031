import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

/**
 * What is wrong with an expression, by Prometheus' own grammar; and, which no grammar sees and Prometheus refuses too, `on` or `ignoring`
 * beside a number.
 */
export function faultsIn(expression: string): string[] {
  const faults: string[] = [];
  parser.parse(expression).iterate({
    enter({ type, node }) {
      if (type.isError) faults.push('no PromQL');
      if (type.name !== 'MatchingModifierClause') return;
      const { parent } = node;
      if (parent && [parent.firstChild, parent.lastChild].some(isNumber))
        faults.push('one side is no vector');
    },
  });
  return faults;

  /** True for a number, the time, and what is computed of such alone. */
  function isNumber(node: SyntaxNode | null): boolean {
    switch (node?.name) {
      case 'NumberDurationLiteral':
        return true;
      case 'FunctionCall':
        return /^(?:time|scalar|pi)\s*\(/.test(expression.slice(node.from, node.to));
      case 'ParenExpr':
      case 'UnaryExpr':
        return operandsOf(node).every(isNumber);
      case 'BinaryExpr':
        return isNumber(node.firstChild) && isNumber(node.lastChild);
    }
    return false;
  }
}

function operandsOf(node: SyntaxNode): SyntaxNode[] {
  const all: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (/Expr$|Literal$|Selector$|Call$/.test(child.name)) all.push(child);
  }
  return all;
}
