// Checks the files of a deployment by what those who read them publish: the types of Kubernetes, of
// CloudNativePG and of Prometheus' operator, the schema of Compose, and the syntax of Dockerfiles.
// Argument: the folder. Prints what is wrong.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import yaml from 'yaml'
import { validate } from 'dockerfile-utils'

const folder = process.argv[2]
const read = (path) => readFileSync(join(folder, path), 'utf8')
const documents = (path) => yaml.parseAllDocuments(read(path)).map((document) => {
  if (document.errors.length) throw new Error(`${path}: ${document.errors[0].message}`)
  return document.toJS()
})
const wrong = []

// Resources: values by the validators, and names of fields by the types, which know no others.
const packages = {
  'postgresql.cnpg.io/v1': '@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1',
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
}
let types = ''
const kinds = []
for (const file of readdirSync(join(folder, 'kubernetes'))) {
  for (const resource of documents(`kubernetes/${file}`)) {
    if (!resource.apiVersion) continue // The configuration of kustomize.
    const { apiVersion, kind } = resource
    const path = `${packages[apiVersion] ?? `kubernetes-models/${apiVersion}`}/${kind}`
    const { [kind]: Model } = await import(path)
    try {
      new Model(resource).validate()
    } catch (error) {
      wrong.push(`kubernetes/${file}: ${kind}: ${error.message}`)
    }
    const name = `resource${kinds.length}`
    types += `import type { I${kind} as ${name}Type } from '${path}'\n`
    types += `// kubernetes/${file}\nexport const ${name}: ${name}Type = ${JSON.stringify(resource, null, 1)}\n`
    kinds.push(kind)
  }
}
writeFileSync('resources.mts', types)
try {
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'node16', '--moduleResolution', 'node16']
  execFileSync('node_modules/.bin/tsc', [...options, 'resources.mts'], { encoding: 'utf8' })
} catch (error) {
  wrong.push(error.stdout)
}

// Kustomize: each file that it names is there, and so is each resource that belongs to it.
const [kustomization] = documents('kustomization.yaml')
const generated = kustomization.configMapGenerator
const named = [...kustomization.resources, ...kustomization.configurations,
  ...generated.flatMap(({ envs = [], files = [] }) => [...envs, ...files])]
for (const path of named) {
  if (!existsSync(join(folder, path))) wrong.push(`kustomization.yaml: there is no ${path}`)
}
for (const file of readdirSync(join(folder, 'kubernetes'))) {
  if (!named.includes(`kubernetes/${file}`)) wrong.push(`kustomization.yaml does not name kubernetes/${file}`)
}
const maps = JSON.stringify([...readdirSync(join(folder, 'kubernetes'))].flatMap((file) => documents(`kubernetes/${file}`)))
for (const { name } of generated) {
  if (!maps.includes(`"${name}"`)) wrong.push(`no resource uses the config map ${name}`)
}

// Compose: no schema of npm is as new as the format, so its services are checked by hand.
const known = ['build', 'cap_drop', 'command', 'depends_on', 'env_file', 'environment', 'healthcheck', 'image', 'ports',
  'read_only', 'restart', 'security_opt', 'shm_size', 'stop_grace_period', 'volumes']
const [compose] = documents('compose.yaml')
for (const [name, service] of Object.entries(compose.services)) {
  for (const key of Object.keys(service).filter((key) => !known.includes(key))) wrong.push(`compose.yaml: ${name}.${key}`)
  for (const needed of Object.keys(service.depends_on ?? {})) {
    if (!compose.services[needed]) wrong.push(`compose.yaml: ${name} needs ${needed}`)
  }
  for (const volume of service.volumes ?? []) {
    const [source] = volume.split(':')
    const found = source.startsWith('.') ? existsSync(join(folder, source)) : source in compose.volumes
    if (!found) wrong.push(`compose.yaml: ${name} mounts ${source}`)
  }
  if (service.build && !existsSync(join(folder, service.build.context, service.build.dockerfile))) {
    wrong.push(`compose.yaml: ${name}: there is no ${service.build.dockerfile}`)
  }
}

// Dockerfiles, and that what they are called by is there.
for (const file of readdirSync(folder).filter((file) => file.endsWith('Dockerfile'))) {
  for (const { message, range } of validate(read(file))) wrong.push(`${file}:${range.start.line + 1}: ${message}`)
}

console.log([...new Set(kinds)].sort().join(' '))
if (wrong.length) {
  console.log(wrong.join('\n'))
  process.exit(1)
}
