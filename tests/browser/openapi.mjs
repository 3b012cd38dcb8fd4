// Validates the OpenAPI document on standard input, and prints `{"valid": true}`, or what is wrong with it.

import { text } from 'node:stream/consumers';
import { Validator } from '@seriousme/openapi-schema-validator';

const result = await new Validator({ strict: false }).validate(JSON.parse(await text(process.stdin)));
const errors = result.valid ? undefined : result.errors;
process.stdout.write(JSON.stringify({ valid: result.valid, errors }));
