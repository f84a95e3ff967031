import { localCounter } from '../../src/server/counter/local.ts';
import { counterExam } from './counter.exam.ts';

counterExam(async () => localCounter());
