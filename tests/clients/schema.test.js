// The npm package graphql reads schema.graphql as any client's tools would.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import {
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedDirective,
  isSpecifiedScalarType,
  lexicographicSortSchema,
  printType,
  validateSchema,
} from 'graphql';
import { Hub } from './hub.js';

let hub;
before(async () => {
  hub = await Hub.start();
});
after(() => hub?.stop());

const schema = buildSchema(await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8'));

// F: L-02
test('schema.graphql is a valid schema', () => {
  assert.deepEqual(validateSchema(schema), []);
  for (const root of ['Query', 'Mutation', 'Subscription']) assert.ok(schema.getType(root), root);
});

function ownTypes(schema) {
  return Object.values(schema.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
  );
}

/** Every part of the schema that can be described, by its name as one would write it. */
function* parts() {
  for (const type of ownTypes(schema)) {
    yield [type.name, type];
    if (isEnumType(type)) for (const value of type.getValues()) yield [`${type.name}.${value.name}`, value];
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      yield [`${type.name}.${field.name}`, field];
      for (const argument of field.args ?? []) yield [`${type.name}.${field.name}(${argument.name}:)`, argument];
    }
  }
  for (const directive of schema.getDirectives())
    if (!isSpecifiedDirective(directive)) yield [`@${directive.name}`, directive];
}

// F: L-02
test('every type, field, argument and enum value says what it is', () => {
  const mute = [...parts()].filter(([, part]) => !part.description?.trim()).map(([name]) => name);
  assert.deepEqual(mute, []);
});

// F: L-02
test('the hub serves the schema that is written down, and an ordinary introspection query reads it', async () => {
  const served = buildClientSchema(await hub.ask('alice', getIntrospectionQuery()));
  const byName = (schema) =>
    new Map(ownTypes(lexicographicSortSchema(schema)).map((type) => [type.name, printType(type)]));
  const [there, here] = [byName(served), byName(schema)];
  assert.deepEqual([...there.keys()], [...here.keys()]);
  for (const [name, type] of there) assert.equal(type, here.get(name));
});
