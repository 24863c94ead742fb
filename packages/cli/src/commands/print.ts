import {
  fetchWorksheet,
  interpretTable,
  interpretWorksheet,
  type RestClient,
  type WorksheetBlock,
} from '@sheaf/client';
import { pythonText, type GenpathValue } from '@sheaf/domain';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { describeFailure } from '../failure.ts';
import { showTarget } from '../render/contents.ts';
import { worksheetHeader, worksheetText } from '../render/names.ts';
import { sourceLines } from '../render/worksheet-source.ts';
import { renderTable } from '../render/table.ts';
import { BrokenPipe } from '../output.ts';
import { placeOf } from '../targets/place.ts';

const include = [
  'owner',
  'group_permissions',
  'items',
  'items.bundle',
  'items.bundle.owner',
  'items.subworksheet',
];

export const command: Command = {
  description: 'Print a worksheet as it is meant to be read, or with --raw as it is edited.',
  positionals: [
    { name: 'worksheet_spec', count: 'optional', help: 'The worksheet; the current one unless given.' },
  ],
  flags: [{ long: '--raw', short: '-r', kind: 'switch', help: 'Print the source text.' }],
  async run(given, context) {
    const { client, ...place } = await found(context, given.optional('worksheet_spec'));
    const { worksheet } = await fetchWorksheet(client, place.uuid, include);
    if (given.has('--raw')) {
      for (const line of sourceLines(worksheet.items ?? [])) context.print(line);
      return;
    }
    for (const line of worksheetHeader(client.address, worksheet)) context.print(line);
    for (const block of await interpretWorksheet(client, place.uuid)) {
      context.print('');
      await printBlock(context, client, block);
    }
  },
};

async function found(
  context: Context,
  spec: string | undefined,
): Promise<{ client: RestClient; uuid: string }> {
  const place = placeOf(context, spec);
  return { client: place.client, uuid: await place.uuid() };
}

async function printBlock(context: Context, client: RestClient, block: WorksheetBlock): Promise<void> {
  switch (block.mode) {
    case 'markup_block':
      context.print(block.text ?? '');
      return;
    case 'contents_block':
      return printContents(context, client, block);
    case 'table_block':
      return printTable(context, client, block, true);
    case 'record_block':
      return printTable(context, client, block, false);
    case 'image_block':
      context.print('[Image]');
      return;
    case 'graph_block':
      context.print('[Graph]');
      return;
    case 'schema_block':
      context.print('[SchemaBlock]');
      return;
    case 'subworksheets_block':
      for (const one of block.subworksheet_infos ?? []) {
        context.print(`[Worksheet ${worksheetText(client.address, one)}]`);
      }
      return;
    case 'placeholder_block':
      context.print(`[Placeholder] ${block.directive ?? ''}`);
      return;
    default:
      context.print(`[${block.mode}]`);
  }
}

/** One block that cannot be shown does not keep the others from being printed. */
async function printContents(context: Context, client: RestClient, block: WorksheetBlock): Promise<void> {
  const uuid = block.bundles_spec?.bundle_infos?.[0]?.uuid ?? '';
  const subpath = (block.target_genpath ?? '').replace(/^\/+/, '');
  try {
    await showTarget(
      context,
      client,
      { uuid, subpath },
      block.max_lines === undefined ? {} : { head: block.max_lines },
    );
  } catch (error) {
    if (error instanceof BrokenPipe) throw error;
    context.print(`ERROR: ${describeFailure(error).message}`);
  }
}

async function printTable(
  context: Context,
  client: RestClient,
  block: WorksheetBlock,
  header: boolean,
): Promise<void> {
  const columns = block.header ?? [];
  const rows = await interpretTable(client, block.rows ?? []);
  const cells = rows.map((row) => columns.map((column) => cellText(row[column])));
  for (const line of renderTable(columns, cells, { indent: 2, header })) context.print(line);
}

function cellText(value: unknown): string {
  return value === null || value === undefined ? '' : pythonText(value as GenpathValue);
}
