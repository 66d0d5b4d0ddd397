// Checks the files of a deployment by what those who read them publish: the types of Kubernetes, of
// CloudNativePG and of Prometheus' operator, the schema of Compose, and the syntax of Dockerfiles.
// Arguments: the folder, and the root of the repository. Prints what is wrong.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import yaml from 'yaml'
import { validate } from 'dockerfile-utils'

const [folder, root] = process.argv.slice(2)
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
const packaging = relative(folder, join(root, 'packaging/docker'))
for (const path of ['compose.yaml', join(packaging, 'compose.yaml')]) {
  const [compose] = documents(path)
  const own = dirname(join(folder, path))
  for (const [name, service] of Object.entries(compose.services)) {
    for (const key of Object.keys(service).filter((key) => !known.includes(key))) wrong.push(`${path}: ${name}.${key}`)
    for (const needed of Object.keys(service.depends_on ?? {})) {
      if (!compose.services[needed]) wrong.push(`${path}: ${name} needs ${needed}`)
    }
    for (const volume of service.volumes ?? []) {
      const [source] = volume.split(':')
      const found = source.startsWith('.') ? existsSync(join(own, source)) : source in compose.volumes
      if (!found) wrong.push(`${path}: ${name} mounts ${source}`)
    }
    if (service.build && !existsSync(join(own, service.build.context, service.build.dockerfile))) {
      wrong.push(`${path}: ${name}: there is no ${service.build.dockerfile}`)
    }
  }
}

// Dockerfiles, and that what they copy from the repository is there.
const dockerfiles = readdirSync(folder).filter((file) => file.endsWith('Dockerfile'))
for (const file of [...dockerfiles, join(packaging, 'Dockerfile')]) {
  const text = read(file)
  for (const { message, range } of validate(text)) wrong.push(`${file}:${range.start.line + 1}: ${message}`)
  for (const [, sources] of text.matchAll(/^COPY (?!--from)(?:--\S+ )*(.*) \S+$/gm)) {
    for (const source of sources.split(' ')) {
      if (!existsSync(join(root, source))) wrong.push(`${file}: there is no ${source} to copy`)
    }
  }
}

console.log([...new Set(kinds)].sort().join(' '))
if (wrong.length) {
  console.log(wrong.join('\n'))
  process.exit(1)
}
